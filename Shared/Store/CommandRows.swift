package import Models
package import PostgresClient

/// What one or more events tell of a command. Rows of one command merge in any order to the same row, so an event may come late or twice.
package struct CommandRow: Hashable, Sendable {
  /// A command's one outcome.
  package struct Settlement: Hashable, Sendable {
    package let state: CommandState
    package let code: String?
    package let message: String?
    package let at: Timestamp

    /// - Parameter state: `acknowledged` or `failed`.
    package init(_ state: CommandState, code: String? = nil, message: String? = nil, at: Timestamp) {
      self.state = state
      self.code = code
      self.message = message
      self.at = at
    }
  }

  package let applianceID: ApplianceID
  package let id: String
  package let type: EventType
  package var userID: String?
  /// A JSON object, as its text.
  package var data: [UInt8]?
  package var issuedAt: Timestamp
  package var expiresAt: Timestamp?
  package var sentAt: Timestamp?
  package var settlement: Settlement?

  /// - Parameter issuedAt: the time of the first event that is known of it.
  package init(applianceID: ApplianceID, id: String, type: EventType, issuedAt: Timestamp) {
    self.applianceID = applianceID
    self.id = id
    self.type = type
    self.issuedAt = issuedAt
  }

  var state: CommandState { settlement?.state ?? (sentAt == nil ? .requested : .sent) }

  mutating func merge(_ other: CommandRow) {
    userID = userID ?? other.userID
    data = data ?? other.data
    issuedAt = min(issuedAt, other.issuedAt)
    expiresAt = expiresAt ?? other.expiresAt
    sentAt = sentAt ?? other.sentAt
    settlement = settlement ?? other.settlement
  }
}

/// Changes of `commands`, ready to be sent.
package struct CommandRows: Sendable {
  private struct Key: Hashable { let applianceID: ApplianceID, id: String }

  private var rows: [Key: CommandRow] = [:]

  package init() {}

  /// The rows, in no order.
  package var merged: some Collection<CommandRow> { rows.values }

  package mutating func append(_ row: CommandRow) {
    let key = Key(applianceID: row.applianceID, id: row.id)
    guard rows[key] == nil else {
      rows[key]?.merge(row)
      return
    }
    rows[key] = row
  }

  /// Merges the rows into those that are stored, with one statement, and notes what became of commands in the audit log. To be called in the transaction that stores their events.
  package func write(in session: PostgresSession) throws(PostgresError) {
    guard !rows.isEmpty else { return }
    let rows = Array(rows.values)
    try session.execute(
      Self.upsert,
      [
        .textArray(rows.map(\.applianceID.rawValue)), .textArray(rows.map(\.id.storable)), .textArray(rows.map(\.type.rawValue)),
        .textArray(rows.map { $0.userID?.storable }), .textArray(rows.map { $0.data.map { String(decoding: $0, as: UTF8.self) } }),
        .textArray(rows.map(\.state.rawValue)), .textArray(rows.map { $0.settlement?.code?.storable }),
        .textArray(rows.map { $0.settlement?.message?.storable }), .timestamptzArray(rows.map { PostgresTimestamp($0.issuedAt) }),
        .timestamptzArray(rows.map { $0.expiresAt.map(PostgresTimestamp.init) }),
        .timestamptzArray(rows.map { $0.sentAt.map(PostgresTimestamp.init) }),
        .timestamptzArray(rows.map { ($0.settlement?.at).map(PostgresTimestamp.init) }),
      ])
    try AuditRows.write(outcomesOf: rows, in: session)
  }

  /// Like `CommandRow.merge`.
  private static let upsert = """
    INSERT INTO commands AS old
      (appliance_id, command_id, type, user_id, data, state, code, message, issued_at, expires_at, sent_at, settled_at)
    SELECT appliance_id, command_id, type, user_id, data::json, state, code, message, issued_at, expires_at, sent_at, settled_at
    FROM unnest(
      $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
      $10::timestamptz[], $11::timestamptz[], $12::timestamptz[]
    ) AS new (appliance_id, command_id, type, user_id, data, state, code, message, issued_at, expires_at, sent_at, settled_at)
    ON CONFLICT (appliance_id, command_id) DO UPDATE SET
      user_id = coalesce(old.user_id, excluded.user_id), data = coalesce(old.data, excluded.data),
      state = CASE
        WHEN old.settled_at IS NOT NULL THEN old.state
        WHEN excluded.settled_at IS NOT NULL OR old.sent_at IS NULL THEN excluded.state
        ELSE old.state END,
      code = CASE WHEN old.settled_at IS NULL THEN excluded.code ELSE old.code END,
      message = CASE WHEN old.settled_at IS NULL THEN excluded.message ELSE old.message END,
      issued_at = least(old.issued_at, excluded.issued_at), expires_at = coalesce(old.expires_at, excluded.expires_at),
      sent_at = coalesce(old.sent_at, excluded.sent_at), settled_at = coalesce(old.settled_at, excluded.settled_at)
    """
}

extension String {
  /// Without U+0000, which PostgreSQL's text cannot hold.
  var storable: String { utf8.contains(0) ? replacing("\0", with: "\u{FFFD}") : self }
}
