package import Models

/// Who exists and who may see what: the truth behind tokens.
package protocol AccessDirectory: Sendable {
  /// Whether there is such a user.
  func userExists(_ userID: String) async throws -> Bool
  /// Whether the user may see the appliance's events: as its owner, by sharing, or as an admin. False also for an appliance that does not exist.
  func mayWatch(userID: String, appliance: ApplianceID) async throws -> Bool
}
