package import Models
package import PostgresClient
package import RuleEvaluation

/// Users, appliances and shares in PostgreSQL, and the proofs of being somebody.
///
/// Who changes something here publishes on `Bus.changes` afterwards, so that services forget what they knew.
package struct AccountStore: Sendable {
  let pool: PostgresPool
  /// Limit for one call, which a person waits for.
  static let callTimeout: Duration = .seconds(3)

  package init(_ pool: PostgresPool) { self.pool = pool }

  /// What is known of the user, nil when there is none.
  package func account(of userID: String) async throws -> Account? {
    guard Self.canBeStored(userID) else { return nil }
    let rows = try await pool.query(
      "SELECT role, tokens_valid_from FROM users WHERE id = $1", [.text(userID)], timeout: Self.callTimeout)
    return try rows.decode(String.self, PostgresTimestamp?.self).first.map { role, validFrom in
      Account(role: try Self.known(role, "role of user '\(userID)'"), tokensValidFrom: validFrom.map(Timestamp.init))
    }
  }

  /// What the user may do with the appliance, nil for nothing, and where there is no such user or appliance.
  ///
  /// - Parameter role: counts instead of the account's own.
  package func permission(of userID: String, as role: UserRole?, on appliance: ApplianceID) async throws -> Permission? {
    guard Self.canBeStored(userID) else { return nil }
    let rows = try await pool.query(
      """
      SELECT users.role, appliances.owner_id = users.id, shares.user_id IS NOT NULL, shares.role
      FROM users JOIN appliances ON appliances.id = $2
      LEFT JOIN appliance_shares shares ON shares.appliance_id = appliances.id AND shares.user_id = users.id
      WHERE users.id = $1
      """, [.text(userID), .text(appliance.rawValue)], timeout: Self.callTimeout)
    guard let row = try rows.decode(String.self, Bool.self, Bool.self, String?.self).first else { return nil }
    let (ownRole, isOwner, isShared, shareRole) = row
    return Permission.of(
      try role ?? Self.known(ownRole, "role of user '\(userID)'"), isOwner: isOwner,
      share: isShared ? try Self.share(shareRole, of: appliance) : nil)
  }

  /// Whether the token with this `jti` is revoked.
  package func isRevoked(tokenID: String) async throws -> Bool {
    guard Self.canBeStored(tokenID) else { return false }
    let rows = try await pool.query(
      "SELECT EXISTS (SELECT FROM revoked_tokens WHERE token_id = $1)", [.text(tokenID)], timeout: Self.callTimeout)
    return try rows.decode(Bool.self) == [true]
  }

  /// PostgreSQL's text cannot hold U+0000, so nothing there has it in its name.
  static func canBeStored(_ name: String) -> Bool { !name.utf8.contains(0) }

  static func share(_ role: String?, of appliance: ApplianceID) throws(StoreError) -> ShareRole {
    try role.map { text throws(StoreError) in try known(text, "role in a share of appliance '\(appliance)'") } ?? .account
  }

  /// Makes the accounts as wanted, all or nothing, and returns what was to change: nothing, when it is applied again.
  ///
  /// - Parameter dryRun: return the changes without making them.
  /// - Throws: `StoreError` `.invalidAccount`; `PostgresError`.
  package func apply(_ wanted: Accounts, dryRun: Bool = false) async throws -> [AccountChange] {
    try await pool.withTransaction { session in try Self.apply(wanted, dryRun: dryRun, in: session) }
  }

  /// The accounts and, in the same transaction, the rules; what changed is told in words.
  package func apply(_ wanted: Accounts, _ rules: [Rule], dryRun: Bool) async throws -> [String] {
    try await pool.withTransaction { session in
      try Self.apply(wanted, dryRun: dryRun, in: session).map(\.description) + RuleRows.apply(rules, dryRun: dryRun, in: session)
    }
  }

  private static func apply(_ wanted: Accounts, dryRun: Bool, in session: PostgresSession) throws -> [AccountChange] {
    if !dryRun {
      try session.execute("LOCK TABLE users, appliances, appliance_shares, sensors, plugins, plugin_sensors IN SHARE ROW EXCLUSIVE MODE")
    }
    let plan = try AccountPlan(from: accounts(in: session), to: wanted)
    if !dryRun {
      for change in plan.changes { try carryOut(change, in: session) }
    }
    return plan.changes
  }

  /// Everything there is.
  package func accounts() async throws -> Accounts {
    try await pool.withTransaction { session in try Self.accounts(in: session) }
  }

  private static func accounts(in session: PostgresSession) throws -> Accounts {
    let users = try session.query("SELECT id, name, role FROM users").decode(String.self, String.self, String.self)
    let appliances = try session.query(
      """
      SELECT id, owner_id, dialect, name, accepts_unproven,
        ARRAY(SELECT user_id::text FROM appliance_shares WHERE appliance_id = appliances.id ORDER BY user_id),
        ARRAY(SELECT coalesce(role, 'account') FROM appliance_shares WHERE appliance_id = appliances.id ORDER BY user_id)
      FROM appliances
      """
    ).decode(String.self, String.self, String.self, String.self, Bool.self, [String].self, [String].self)
    return try Accounts(
      users: users.map { id, name, role in
        User(id: id, name: name, role: try known(role, "role of user '\(id)'"))
      },
      appliances: appliances.map { id, owner, dialect, name, acceptsUnproven, users, roles in
        let shares = try zip(users, roles).map { ($0, try known($1, "role in a share of appliance '\(id)'") as ShareRole) }
        return Appliance(
          id: try ApplianceID(id), ownerID: owner, dialect: try known(dialect, "dialect of appliance '\(id)'"), name: name,
          shares: Dictionary(uniqueKeysWithValues: shares), acceptsUnproven: acceptsUnproven)
      }, controllers: WebMACSStore.setups(in: session))
  }

  /// The table's own checks allow no other word, unless a newer build's migration widened them.
  static func known<Word: RawRepresentable<String>>(_ text: String, _ subject: String) throws(StoreError) -> Word {
    guard let word = Word(rawValue: text) else {
      throw StoreError(.schemaTooNew, "The \(subject) is '\(text)', which this build does not know: use a newer build")
    }
    return word
  }

  static func carryOut(_ change: AccountChange, in session: PostgresSession) throws {
    switch change {
    case .addUser(let user):
      try session.execute(
        "INSERT INTO users (id, name, role) VALUES ($1, $2, $3)", [.text(user.id), .text(user.name), .text(user.role.rawValue)])
    case .changeUser(_, let user):
      try session.execute(
        "UPDATE users SET name = $2, role = $3 WHERE id = $1", [.text(user.id), .text(user.name), .text(user.role.rawValue)])
    case .addAppliance(let appliance):
      try session.execute(insertAppliance, parameters(of: appliance))
    case .changeAppliance(_, let appliance):
      try session.execute(updateAppliance, parameters(of: appliance))
    case .share(let appliance, let user, let role):
      try session.execute(
        """
        INSERT INTO appliance_shares (appliance_id, user_id, role) VALUES ($1, $2, nullif($3, 'account'))
        ON CONFLICT (appliance_id, user_id) DO UPDATE SET role = excluded.role
        """, [.text(appliance.rawValue), .text(user), .text(role.rawValue)])
    case .unshare(let appliance, let user):
      try session.execute(
        "DELETE FROM appliance_shares WHERE appliance_id = $1 AND user_id = $2", [.text(appliance.rawValue), .text(user)])
    case .putSensor(let sensor, let controller): try WebMACSStore.write(sensor, of: controller, in: session)
    case .dropSensor(let id, let controller): try WebMACSStore.drop(from: "sensors", id, of: controller, in: session)
    case .putPlugin(let plugin, let controller): try WebMACSStore.write(plugin, of: controller, in: session)
    case .dropPlugin(let id, let controller): try WebMACSStore.drop(from: "plugins", id, of: controller, in: session)
    }
  }

  static let insertAppliance = "INSERT INTO appliances (id, owner_id, dialect, name, accepts_unproven) VALUES ($1, $2, $3, $4, $5)"
  static let updateAppliance = "UPDATE appliances SET owner_id = $2, dialect = $3, name = $4, accepts_unproven = $5 WHERE id = $1"

  static func parameters(of appliance: Appliance) -> [PostgresValue] {
    [
      .text(appliance.id.rawValue), .text(appliance.ownerID), .text(appliance.dialect.rawValue), .text(appliance.name),
      .bool(appliance.acceptsUnproven),
    ]
  }
}
