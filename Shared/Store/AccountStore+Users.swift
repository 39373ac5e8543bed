package import Models
internal import PostgresClient

extension AccountStore {
  /// Users in the order of their ids, those behind `after`, at most `limit`.
  package func users(after: String? = nil, limit: Int) async throws -> [User] {
    let rows = try await pool.query(
      "SELECT id, name, role FROM users WHERE id > $1 ORDER BY id LIMIT $2", [.text(Self.storable(after ?? "")), .int8(Int64(limit))],
      timeout: Self.callTimeout)
    return try Self.users(in: rows)
  }

  /// Nil when there is no such user.
  package func user(_ id: String) async throws -> User? {
    guard Self.canBeStored(id) else { return nil }
    let rows = try await pool.query("SELECT id, name, role FROM users WHERE id = $1", [.text(id)], timeout: Self.callTimeout)
    return try Self.users(in: rows).first
  }

  /// Adds a user. Tokens that were issued before the second of `now` are not for this one: there may have been another one of that name.
  /// (Not before `now` itself, because other issuers' tokens know no fractions of a second.)
  ///
  /// - Throws: `StoreError` `.invalidAccount`, `.alreadyExists`.
  package func createUser(_ user: User, now: Timestamp) async throws {
    try User.check(user)
    let second = PostgresTimestamp(microseconds: now.microseconds - now.microseconds % 1_000_000)
    let added = try await pool.execute(
      "INSERT INTO users (id, name, role, tokens_valid_from) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
      [.text(user.id), .text(user.name), .text(user.role.rawValue), .timestamptz(second)], timeout: Self.callTimeout)
    guard added == 1 else { throw StoreError(.alreadyExists, "There is a user '\(user.id)' already: choose another id") }
  }

  /// Gives the user with this id the name and the role.
  ///
  /// - Throws: `StoreError` `.invalidAccount`, `.notFound`.
  package func updateUser(_ user: User) async throws {
    try User.check(user)
    let changed = try await pool.execute(
      "UPDATE users SET name = $2, role = $3 WHERE id = $1", [.text(user.id), .text(user.name), .text(user.role.rawValue)],
      timeout: Self.callTimeout)
    guard changed == 1 else { throw StoreError.noUser(user.id) }
  }

  /// Removes a user, with the password, the refresh tokens, and the shares of others' appliances.
  ///
  /// - Throws: `StoreError` `.notFound`; `.inUse` while the user owns appliances.
  package func deleteUser(_ id: String) async throws {
    guard Self.canBeStored(id) else { throw StoreError.noUser(id) }
    do {
      guard try await pool.execute("DELETE FROM users WHERE id = $1", [.text(id)], timeout: Self.callTimeout) == 1 else {
        throw StoreError.noUser(id)
      }
    } catch let error as PostgresError where error.isBrokenReference {
      throw StoreError(.inUse, "User '\(id.prefix(80))' owns appliances: give them to somebody else, or delete them first")
    }
  }

  /// Keeps the password of a user, in the form that `PasswordHasher` gives it.
  ///
  /// - Throws: `StoreError` `.notFound`.
  package func setPasswordHash(_ hash: String, of userID: String) async throws {
    guard Self.canBeStored(userID) else { throw StoreError.noUser(userID) }
    do {
      try await pool.execute(
        """
        INSERT INTO user_passwords (user_id, scrypt) VALUES ($1, $2)
        ON CONFLICT (user_id) DO UPDATE SET scrypt = excluded.scrypt, changed_at = now()
        """, [.text(userID), .text(hash)], timeout: Self.callTimeout)
    } catch let error as PostgresError where error.isBrokenReference {
      throw StoreError.noUser(userID)
    }
  }

  /// Nil where there is no such user, or none with a password.
  package func passwordHash(of userID: String) async throws -> String? {
    guard Self.canBeStored(userID) else { return nil }
    let rows = try await pool.query("SELECT scrypt FROM user_passwords WHERE user_id = $1", [.text(userID)], timeout: Self.callTimeout)
    return try rows.decode(String.self).first
  }

  private static func users(in rows: PostgresRows) throws -> [User] {
    try rows.decode(String.self, String.self, String.self).map { id, name, role in
      User(id: id, name: name, role: try known(role, "role of user '\(id)'"))
    }
  }

  /// A text that only marks a place in the order.
  static func storable(_ text: String) -> String { text.replacing("\0", with: "") }
}

extension StoreError {
  static func noUser(_ id: String) -> StoreError { StoreError(.notFound, "There is no user '\(id.prefix(80))'") }
}

extension PostgresError {
  /// A row that is named does not exist, or one that goes is named by another: foreign_key_violation.
  var isBrokenReference: Bool { sqlState == "23503" }
}
