package import Models
internal import PostgresClient

/// What became of a refresh token that somebody presented.
package enum RefreshOutcome: Hashable, Sendable {
  /// The new token has taken its place; it is this user's.
  case rotated(userID: String)
  /// It was used before: a thief has it, or its owner's was stolen. Its whole family is revoked, so that both must log in again.
  case replayed(userID: String)
  /// It is none of ours, has run out, or was revoked.
  case refused
}

extension AccountStore {
  /// Revokes a token until it ends by itself.
  ///
  /// - Parameters:
  ///   - tokenID: its `jti`.
  ///   - expiresAt: its `exp` and more than any leeway; the row goes some time later.
  package func revokeToken(_ tokenID: String, of userID: String, expiresAt: Timestamp) async throws {
    try await pool.execute(
      "INSERT INTO revoked_tokens (token_id, user_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (token_id) DO NOTHING",
      [.text(tokenID), .text(userID), .timestamptz(PostgresTimestamp(expiresAt))], timeout: Self.callTimeout)
  }

  /// Revokes every token of a user that was issued before `now`, and every refresh token.
  ///
  /// - Throws: `StoreError` `.notFound`.
  package func revokeTokens(of userID: String, now: Timestamp) async throws {
    guard Self.canBeStored(userID) else { throw StoreError.noUser(userID) }
    let moment = PostgresValue.timestamptz(PostgresTimestamp(now))
    try await pool.withTransaction(timeout: Self.callTimeout) { session in
      let changed = try session.execute(
        "UPDATE users SET tokens_valid_from = greatest(tokens_valid_from, $2) WHERE id = $1", [.text(userID), moment])
      guard changed == 1 else { throw StoreError.noUser(userID) }
      try session.execute(
        "UPDATE refresh_families SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL", [.text(userID), moment])
    }
  }

  /// Begins a family of refresh tokens: a login.
  ///
  /// The access token that goes with it must be signed as of the same `now`, so that a revocation in between is not outlived.
  ///
  /// - Parameter hash: of the first token.
  /// - Throws: `StoreError` `.notFound` when there is no such user.
  package func beginRefresh(_ hash: [UInt8], of userID: String, now: Timestamp, lifetime: Duration) async throws {
    guard Self.canBeStored(userID) else { throw StoreError.noUser(userID) }
    do {
      try await pool.execute(
        """
        WITH family AS (
          INSERT INTO refresh_families (user_id, begun_at, expires_at) VALUES ($1, $3, $4) RETURNING id)
        INSERT INTO refresh_tokens (hash, family_id, issued_at, expires_at) SELECT $2, id, $3, $4 FROM family
        """, [.text(userID), .bytea(hash), .timestamptz(PostgresTimestamp(now)), .timestamptz(PostgresTimestamp(now + lifetime))],
        timeout: Self.callTimeout)
    } catch let error as PostgresError where error.isBrokenReference {
      throw StoreError.noUser(userID)
    }
  }

  /// Takes a refresh token in return for a new one, once. Whoever comes second with it, however close, is a replay.
  ///
  /// The access token that goes with it must be signed as of the same `now`, so that a revocation in between is not outlived.
  package func rotateRefresh(_ hash: [UInt8], to next: [UInt8], now: Timestamp, lifetime: Duration) async throws -> RefreshOutcome {
    try await pool.withTransaction(timeout: Self.callTimeout) { session in
      guard let (family, userID) = try Self.lockFamily(of: hash, now: now, in: session) else { return .refused }
      let present = PostgresValue.timestamptz(PostgresTimestamp(now))
      let wasUnused = try session.execute(
        "UPDATE refresh_tokens SET used_at = $2 WHERE hash = $1 AND used_at IS NULL", [.bytea(hash), present])
      guard wasUnused == 1 else {
        try session.execute("UPDATE refresh_families SET revoked_at = $2 WHERE id = $1", [.uuid(family), present])
        return .replayed(userID: userID)
      }
      let end = PostgresValue.timestamptz(PostgresTimestamp(now + lifetime))
      try session.execute(
        "INSERT INTO refresh_tokens (hash, family_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)",
        [.bytea(next), .uuid(family), present, end])
      try session.execute("UPDATE refresh_families SET expires_at = $2 WHERE id = $1", [.uuid(family), end])
      return .rotated(userID: userID)
    }
  }

  /// Revokes the family of a refresh token: a logout. Does nothing for a token that is none.
  package func endRefresh(_ hash: [UInt8], now: Timestamp) async throws {
    try await pool.execute(
      """
      UPDATE refresh_families SET revoked_at = $2
      WHERE revoked_at IS NULL AND id = (SELECT family_id FROM refresh_tokens WHERE hash = $1)
      """, [.bytea(hash), .timestamptz(PostgresTimestamp(now))], timeout: Self.callTimeout)
  }

  /// Removes what has run out: revocations of tokens that ended, and families of refresh tokens.
  ///
  /// - Parameter limit: how many rows of each kind at most; whoever calls it regularly gets rid of the rest later.
  /// - Returns: how many rows went.
  @discardableResult
  package func removeExpiredTokens(now: Timestamp, limit: Int = 10_000) async throws -> Int {
    // A day, so that no clock of ours is far enough off to let a token in again.
    let past = PostgresValue.timestamptz(PostgresTimestamp(now + .seconds(-86_400)))
    var removed = 0
    for (table, key) in [("revoked_tokens", "token_id"), ("refresh_families", "id")] {
      removed += try await pool.execute(
        "DELETE FROM \(table) WHERE \(key) IN (SELECT \(key) FROM \(table) WHERE expires_at < $1 LIMIT $2)", [past, .int8(Int64(limit))],
        timeout: .seconds(30))
    }
    return removed
  }

  /// The family and the user of a token that may still be used, with the family locked: all of its tokens pass here one by one.
  private static func lockFamily(
    of hash: [UInt8], now: Timestamp, in session: PostgresSession
  ) throws -> (family: [UInt8], userID: String)? {
    let rows = try session.query(
      """
      SELECT family.id, family.user_id FROM refresh_tokens token JOIN refresh_families family ON family.id = token.family_id
      WHERE token.hash = $1 AND token.expires_at > $2 AND family.revoked_at IS NULL FOR UPDATE OF family
      """, [.bytea(hash), .timestamptz(PostgresTimestamp(now))]
    )
    return try rows.decode([UInt8].self, String.self).first.map { (family: $0, userID: $1) }
  }
}
