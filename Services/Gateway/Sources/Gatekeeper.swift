internal import Access
internal import Models
internal import Store

/// Who may come in and what they may do. Never throws: a directory that cannot be asked is an answer too.
protocol Gatekeeper: Sendable {
  func admit(_ token: String?) async -> AccessGate.Admission
  func permission(of principal: Principal, on appliance: ApplianceID) async -> AccessGate.Grant
  /// The appliances of one dialect that the principal may see, with what they may do, in the order of their ids, at most `limit`. Nil when that cannot be asked.
  func appliances(of dialect: Dialect, visibleTo principal: Principal, limit: Int) async -> [PermittedAppliance]?
  /// What is left of the principal's rights. Nil when that cannot be asked.
  func recheck(_ principal: Principal, _ appliances: [ApplianceID]) async -> AccessGate.Recheck?
}

extension AccessGate: Gatekeeper {}

/// The Epicura document's "Local (Direct to CM5)": whoever is on the network is trusted, and is the user `local`.
struct LocalGatekeeper: Gatekeeper {
  static let principal = Principal.endless("local")

  func admit(_ token: String?) async -> AccessGate.Admission { .admitted(Self.principal) }
  func permission(of principal: Principal, on appliance: ApplianceID) async -> AccessGate.Grant { .granted(.own) }
  /// None: without accounts nobody has said what there is.
  func appliances(of dialect: Dialect, visibleTo principal: Principal, limit: Int) async -> [PermittedAppliance]? { [] }
  func recheck(_ principal: Principal, _ appliances: [ApplianceID]) async -> AccessGate.Recheck? {
    AccessGate.Recheck(permissions: Dictionary(appliances.map { ($0, .own) }) { $1 })
  }
}
