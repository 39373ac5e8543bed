package import Models
package import PostgresClient

/// Users, appliances and shares in PostgreSQL.
package struct AccountStore: Sendable {
  private let pool: PostgresPool
  /// Limit for one look-up, which a person waits for.
  private static let lookUpTimeout: Duration = .seconds(3)

  package init(_ pool: PostgresPool) { self.pool = pool }

  /// Whether there is such a user.
  package func userExists(_ userID: String) async throws -> Bool {
    try await holds("SELECT EXISTS (SELECT FROM users WHERE id = $1)", [userID])
  }

  /// Whether the user may see the appliance: as an admin, its owner, or one whom it is shared with. False also for an appliance that does not exist.
  package func mayWatch(userID: String, appliance: ApplianceID) async throws -> Bool {
    try await holds(
      """
      SELECT EXISTS (
        SELECT FROM appliances JOIN users ON users.id = $1 WHERE appliances.id = $2 AND (
          users.role = 'admin' OR appliances.owner_id = users.id
          OR EXISTS (SELECT FROM appliance_shares WHERE appliance_id = appliances.id AND user_id = users.id)))
      """, [userID, appliance.rawValue])
  }

  private func holds(_ sql: String, _ names: [String]) async throws -> Bool {
    // PostgreSQL's text cannot hold U+0000, so no user has it in the id.
    guard !names.contains(where: { $0.utf8.contains(0) }) else { return false }
    let rows = try await pool.query(sql, names.map(PostgresValue.text), timeout: Self.lookUpTimeout)
    return try rows.decode(Bool.self) == [true]
  }

  /// Makes the accounts as wanted, all or nothing, and returns what was to change: nothing, when it is applied again.
  ///
  /// - Parameter dryRun: return the changes without making them.
  /// - Throws: `StoreError` `.invalidAccount`; `PostgresError`.
  package func apply(_ wanted: Accounts, dryRun: Bool = false) async throws -> [AccountChange] {
    try await pool.withTransaction { session in
      if !dryRun { try session.execute("LOCK TABLE users, appliances, appliance_shares IN SHARE ROW EXCLUSIVE MODE") }
      let plan = try AccountPlan(from: Self.accounts(in: session), to: wanted)
      if !dryRun {
        for change in plan.changes { try Self.carryOut(change, in: session) }
      }
      return plan.changes
    }
  }

  /// Everything there is.
  package func accounts() async throws -> Accounts {
    try await pool.withTransaction { session in try Self.accounts(in: session) }
  }

  private static func accounts(in session: PostgresSession) throws -> Accounts {
    let users = try session.query("SELECT id, name, role FROM users").decode(String.self, String.self, String.self)
    let appliances = try session.query(
      """
      SELECT id, owner_id, dialect, name,
        ARRAY(SELECT user_id::text FROM appliance_shares WHERE appliance_id = appliances.id)
      FROM appliances
      """
    ).decode(String.self, String.self, String.self, String.self, [String].self)
    return try Accounts(
      users: users.map { id, name, role in
        User(id: id, name: name, role: try known(role, "role of user '\(id)'"))
      },
      appliances: appliances.map { id, owner, dialect, name, shares in
        Appliance(
          id: try ApplianceID(id), ownerID: owner, dialect: try known(dialect, "dialect of appliance '\(id)'"), name: name,
          sharedWith: Set(shares))
      })
  }

  /// The table's own checks allow no other word, unless a newer build's migration widened them.
  private static func known<Word: RawRepresentable<String>>(_ text: String, _ subject: String) throws(StoreError) -> Word {
    guard let word = Word(rawValue: text) else {
      throw StoreError(.schemaTooNew, "The \(subject) is '\(text)', which this build does not know: use a newer build")
    }
    return word
  }

  private static func carryOut(_ change: AccountChange, in session: PostgresSession) throws(PostgresError) {
    switch change {
    case .addUser(let user):
      try session.execute(
        "INSERT INTO users (id, name, role) VALUES ($1, $2, $3)", [.text(user.id), .text(user.name), .text(user.role.rawValue)])
    case .changeUser(_, let user):
      try session.execute(
        "UPDATE users SET name = $2, role = $3 WHERE id = $1", [.text(user.id), .text(user.name), .text(user.role.rawValue)])
    case .addAppliance(let appliance):
      try session.execute("INSERT INTO appliances (id, owner_id, dialect, name) VALUES ($1, $2, $3, $4)", parameters(of: appliance))
    case .changeAppliance(_, let appliance):
      try session.execute("UPDATE appliances SET owner_id = $2, dialect = $3, name = $4 WHERE id = $1", parameters(of: appliance))
    case .share(let appliance, let user):
      try session.execute(
        "INSERT INTO appliance_shares (appliance_id, user_id) VALUES ($1, $2)", [.text(appliance.rawValue), .text(user)])
    case .unshare(let appliance, let user):
      try session.execute(
        "DELETE FROM appliance_shares WHERE appliance_id = $1 AND user_id = $2", [.text(appliance.rawValue), .text(user)])
    }
  }

  private static func parameters(of appliance: Appliance) -> [PostgresValue] {
    [.text(appliance.id.rawValue), .text(appliance.ownerID), .text(appliance.dialect.rawValue), .text(appliance.name)]
  }
}
