internal import Access
internal import Models

/// Who may come in and what they may do. Never throws: a directory that cannot be asked is an answer too.
protocol Gatekeeper: Sendable {
  func admit(_ token: String?) async -> AccessGate.Admission
  func permission(of principal: Principal, on appliance: ApplianceID) async -> AccessGate.Grant
  /// What is left of the principal's rights. Nil when that cannot be asked.
  func recheck(_ principal: Principal, _ appliances: [ApplianceID]) async -> AccessGate.Recheck?
}

extension AccessGate: Gatekeeper {}

/// The Epicura document's "Local (Direct to CM5)": whoever is on the network is trusted, and is the user `local`.
struct LocalGatekeeper: Gatekeeper {
  /// No token, and so none that ends: the last moment that ISO 8601 can say.
  static let principal = Principal(subject: "local", expiresAt: Timestamp(microseconds: 253_402_300_799_000_000))

  func admit(_ token: String?) async -> AccessGate.Admission { .admitted(Self.principal) }
  func permission(of principal: Principal, on appliance: ApplianceID) async -> AccessGate.Grant { .granted(.own) }
  func recheck(_ principal: Principal, _ appliances: [ApplianceID]) async -> AccessGate.Recheck? { AccessGate.Recheck() }
}
