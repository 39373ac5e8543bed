/// What has changed in PostgreSQL of users, appliances, sharing, tokens or a controller's sensors: an announcement on `Bus.changes`, so that each replica asks anew for that and no more.
///
/// An announcement may be lost. Whoever listens takes every new subscription to the channel for `everything`.
package enum AccessChange: Hashable, Sendable {
  case everything
  /// The user, their role or their tokens as a whole.
  case user(String)
  /// One token of a user was revoked, by its `jti`.
  case token(String, ofUser: String)
  /// The appliance, its owner or its shares.
  case appliance(ApplianceID)
  /// A lab controller's sensors, plugins or experiments.
  case sensors(of: ApplianceID)

  /// Reads an announcement. One that cannot be read may mean anything: everything has changed.
  package init(_ message: some Collection<UInt8>) {
    let parts = String(decoding: message, as: UTF8.self).split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false).map(
      String.init)
    self =
      switch (parts.first, parts.count) {
      case ("user", 2): .user(parts[1])
      case ("token", 3): .token(parts[2], ofUser: parts[1])
      case ("sensors", 2): (try? ApplianceID(parts[1])).map(Self.sensors(of:)) ?? .everything
      case ("appliance", 2): (try? ApplianceID(parts[1])).map(Self.appliance) ?? .everything
      default: .everything
      }
  }

  /// `user<TAB>id`, `token<TAB>user<TAB>jti`, `appliance<TAB>id`, `sensors<TAB>id`; a user's id has no control characters in it.
  package func encoded() -> [UInt8] {
    switch self {
    case .everything: []
    case .user(let id): Array("user\t\(id)".utf8)
    case .token(let id, let user): Array("token\t\(user)\t\(id)".utf8)
    case .appliance(let id): Array("appliance\t\(id)".utf8)
    case .sensors(of: let id): Array("sensors\t\(id)".utf8)
    }
  }
}
