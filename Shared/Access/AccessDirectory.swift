package import Models
package import Store

/// Who exists, who may do what, and which tokens are revoked: the truth behind tokens.
package protocol AccessDirectory: Sendable {
  /// What is known of the user, nil when there is none.
  func account(of userID: String) async throws -> Account?
  /// What the user may do with the appliance, nil for nothing and for an appliance that does not exist: nobody can tell the two apart.
  ///
  /// - Parameter role: counts instead of the account's own, where the token brought one.
  func permission(of userID: String, as role: UserRole?, on appliance: ApplianceID) async throws -> Permission?
  /// The appliances of one dialect that the user may see, with what they may do, in the order of their ids, at most `limit`.
  func appliances(of dialect: Dialect, visibleTo userID: String, as role: UserRole?, limit: Int) async throws -> [PermittedAppliance]
  /// Whether the token with this `jti` is revoked.
  func isRevoked(tokenID: String) async throws -> Bool
}

extension AccountStore: AccessDirectory {}
