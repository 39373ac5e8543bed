package import Models
internal import PostgresClient

/// An appliance as one user sees it: with what that user may do, and without the others whom it is shared with.
package struct VisibleAppliance: Hashable, Sendable {
  package let id: ApplianceID
  package let ownerID: String
  package let dialect: Dialect
  package let name: String
  package let acceptsUnproven: Bool
  package let permission: Permission
}

extension AccountStore {
  /// The appliances that a user may see, in the order of their ids, those behind `after`, at most `limit`.
  ///
  /// - Parameter role: counts instead of the account's own, as in `permission`.
  package func appliances(
    visibleTo userID: String, as role: UserRole? = nil, after: ApplianceID? = nil, limit: Int
  ) async throws -> [VisibleAppliance] {
    try await visible(to: userID, as: role, ">", after?.rawValue ?? "", limit: limit)
  }

  /// One appliance; nil when the user may not see it, and when it does not exist.
  package func appliance(_ id: ApplianceID, visibleTo userID: String, as role: UserRole? = nil) async throws -> VisibleAppliance? {
    try await visible(to: userID, as: role, "=", id.rawValue, limit: 1).first
  }

  /// The appliances of one dialect that a user may see, with what they may do, in the order of their ids, at most `limit`.
  ///
  /// - Parameter role: counts instead of the account's own, as in `permission`.
  package func appliances(of dialect: Dialect, visibleTo userID: String, as role: UserRole?, limit: Int) async throws
    -> [PermittedAppliance]
  {
    guard Self.canBeStored(userID) else { return [] }
    let rows = try await pool.query(
      """
      WITH viewer AS (SELECT id, coalesce($3, role) AS role FROM users WHERE id = $1),
      visible AS (
        SELECT id FROM appliances WHERE owner_id = $1
        UNION SELECT appliance_id FROM appliance_shares WHERE user_id = $1
        UNION (
          SELECT id FROM appliances
          WHERE (SELECT role FROM viewer) = 'admin' AND dialect = $2 ORDER BY id LIMIT $4))
      SELECT appliances.id, viewer.role, owner_id = viewer.id, shares.user_id IS NOT NULL, shares.role
      FROM visible JOIN appliances USING (id) CROSS JOIN viewer
      LEFT JOIN appliance_shares shares ON shares.appliance_id = appliances.id AND shares.user_id = viewer.id
      WHERE dialect = $2 ORDER BY appliances.id LIMIT $4
      """,
      [.text(userID), .text(dialect.rawValue), role.map { .text($0.rawValue) } ?? .null, .int8(Int64(limit))], timeout: Self.callTimeout)
    return try rows.decode(String.self, String.self, Bool.self, Bool.self, String?.self).compactMap { row in
      let (idText, role, isOwner, isShared, shareRole) = row
      let id = try ApplianceID(idText)
      return Permission.of(
        try Self.known(role, "role of a user"), isOwner: isOwner, share: isShared ? try Self.share(shareRole, of: id) : nil
      ).map { PermittedAppliance(id, $0) }
    }
  }

  /// Those whose ids compare so to `id`. Each way to an appliance has its index; the one of admins is not walked for others.
  private func visible(
    to userID: String, as role: UserRole?, _ comparison: StaticString, _ id: String, limit: Int
  ) async throws -> [VisibleAppliance] {
    guard Self.canBeStored(userID) else { return [] }
    let rows = try await pool.query(
      """
      WITH viewer AS (SELECT id, coalesce($2, role) AS role FROM users WHERE id = $1),
      visible AS (
        SELECT id FROM appliances WHERE owner_id = $1 AND id \(comparison) $3
        UNION SELECT appliance_id FROM appliance_shares WHERE user_id = $1 AND appliance_id \(comparison) $3
        UNION (
          SELECT id FROM appliances WHERE (SELECT role FROM viewer) = 'admin' AND id \(comparison) $3 ORDER BY id LIMIT $4))
      SELECT appliances.id, owner_id, dialect, name, accepts_unproven, viewer.role, owner_id = viewer.id, shares.user_id IS NOT NULL, shares.role
      FROM visible JOIN appliances USING (id) CROSS JOIN viewer
      LEFT JOIN appliance_shares shares ON shares.appliance_id = appliances.id AND shares.user_id = viewer.id
      ORDER BY appliances.id LIMIT $4
      """, [.text(userID), role.map { .text($0.rawValue) } ?? .null, .text(id), .int8(Int64(limit))], timeout: Self.callTimeout)
    return try rows.decode(
      String.self, String.self, String.self, String.self, Bool.self, String.self, Bool.self, Bool.self, String?.self
    ).compactMap { try Self.visible($0) }
  }

  private typealias VisibleRow = (String, String, String, String, Bool, String, Bool, Bool, String?)

  private static func visible(_ row: VisibleRow) throws -> VisibleAppliance? {
    let (idText, owner, dialect, name, acceptsUnproven, role, isOwner, isShared, shareRole) = row
    let id = try ApplianceID(idText)
    let permission = Permission.of(
      try known(role, "role of a user"), isOwner: isOwner, share: isShared ? try share(shareRole, of: id) : nil)
    return try permission.map {
      VisibleAppliance(
        id: id, ownerID: owner, dialect: try known(dialect, "dialect of appliance '\(id)'"), name: name, acceptsUnproven: acceptsUnproven,
        permission: $0)
    }
  }

  /// Adds an appliance with its shares.
  ///
  /// - Throws: `StoreError` `.invalidAccount`, `.alreadyExists`; `.notFound` when the owner or a user it is shared with does not exist.
  package func createAppliance(_ appliance: Appliance) async throws {
    try Appliance.check(appliance)
    try await refusing(.notFound, "The owner of appliance '\(appliance.id)', or a user it is shared with, does not exist") {
      try await pool.withTransaction(timeout: Self.callTimeout) { session in
        let added = try session.execute(
          Self.insertAppliance + " ON CONFLICT (id) DO NOTHING", Self.parameters(of: appliance))
        guard added == 1 else { throw StoreError(.alreadyExists, "There is an appliance '\(appliance.id)' already") }
        for (user, role) in appliance.shares { try Self.carryOut(.share(appliance.id, with: user, as: role), in: session) }
      }
    }
  }

  /// Gives the appliance with this id what is said of it but its shares; they stay, but for one with the new owner.
  ///
  /// - Throws: `StoreError` `.invalidAccount`; `.notFound` when the appliance or the owner does not exist.
  package func updateAppliance(_ appliance: Appliance) async throws {
    try Appliance.check(appliance)
    try await refusing(.notFound, "The owner of appliance '\(appliance.id)' does not exist") {
      try await pool.withTransaction(timeout: Self.callTimeout) { session in
        let changed = try session.execute(Self.updateAppliance, Self.parameters(of: appliance))
        guard changed == 1 else { throw StoreError.noAppliance(appliance.id) }
        try Self.carryOut(.unshare(appliance.id, with: appliance.ownerID), in: session)
      }
    }
  }

  /// Removes an appliance with its shares and its secret. What it said stays.
  ///
  /// - Throws: `StoreError` `.notFound`.
  package func deleteAppliance(_ id: ApplianceID) async throws {
    guard try await pool.execute("DELETE FROM appliances WHERE id = $1", [.text(id.rawValue)], timeout: Self.callTimeout) == 1 else {
      throw StoreError.noAppliance(id)
    }
  }

  /// Whom the appliance is shared with, and what they may do; nothing for one that does not exist.
  package func shares(of id: ApplianceID) async throws -> [String: ShareRole] {
    let rows = try await pool.query(
      "SELECT user_id, role FROM appliance_shares WHERE appliance_id = $1", [.text(id.rawValue)], timeout: Self.callTimeout)
    let shares = try rows.decode(String.self, String?.self).map { ($0, try Self.share($1, of: id)) }
    return Dictionary(uniqueKeysWithValues: shares)
  }

  /// Shares the appliance with a user, or changes what the user may do.
  ///
  /// - Throws: `StoreError` `.invalidAccount` when the user owns it; `.notFound` when the appliance or the user does not exist.
  package func share(_ id: ApplianceID, with userID: String, as role: ShareRole) async throws {
    guard Self.canBeStored(userID) else { throw StoreError.noUser(userID) }
    try await refusing(.notFound, "There is no appliance '\(id)', or no user '\(userID.prefix(80))'") {
      try await pool.withTransaction(timeout: Self.callTimeout) { session in
        let owner = try session.query("SELECT owner_id FROM appliances WHERE id = $1 FOR SHARE", [.text(id.rawValue)]).decode(String.self)
        guard owner.first != userID else {
          throw StoreError(.invalidAccount, "Appliance '\(id)' belongs to '\(userID)': it needs no sharing with its owner")
        }
        try Self.carryOut(.share(id, with: userID, as: role), in: session)
      }
    }
  }

  /// Ends a share.
  ///
  /// - Throws: `StoreError` `.notFound` when there is none.
  package func unshare(_ id: ApplianceID, with userID: String) async throws {
    let ended =
      Self.canBeStored(userID)
      ? try await pool.execute(
        "DELETE FROM appliance_shares WHERE appliance_id = $1 AND user_id = $2", [.text(id.rawValue), .text(userID)],
        timeout: Self.callTimeout) : 0
    guard ended == 1 else { throw StoreError(.notFound, "Appliance '\(id)' is not shared with '\(userID.prefix(80))'") }
  }

  /// Turns the refusal of a name that does not exist into a sentence.
  private func refusing(_ code: StoreError.Code, _ sentence: String, _ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as PostgresError where error.isBrokenReference { throw StoreError(code, sentence) }
  }
}

extension StoreError {
  static func noAppliance(_ id: ApplianceID) -> StoreError { StoreError(.notFound, "There is no appliance '\(id)'") }
}
