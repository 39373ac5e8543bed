package import Models
package import PostgresClient

/// Rows of the audit log on their way in. Whoever writes them needs no right but to insert.
package enum AuditRows {
  /// Writes entries; one that is there already is passed over.
  package static func write(_ entries: [AuditEntry], in session: PostgresSession) throws(PostgresError) {
    guard !entries.isEmpty else { return }
    try session.execute(
      """
      INSERT INTO audit_log (entry, at, service, action, result, user_id, appliance_id, command_id, address, detail, count)
      SELECT entry::uuid, at, service, action, result, user_id, appliance_id, command_id, address, detail, count::integer
      FROM unnest(
        $1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[]
      ) AS new (entry, at, service, action, result, user_id, appliance_id, command_id, address, detail, count)
      ON CONFLICT DO NOTHING
      """,
      [
        .textArray(entries.map(\.id)), .timestamptzArray(entries.map { PostgresTimestamp($0.at) }),
        .textArray(entries.map(\.service.storable)),
        .textArray(entries.map(\.action.rawValue)), .textArray(entries.map(\.result.rawValue)),
        .textArray(entries.map { $0.userID?.storable }),
        .textArray(entries.map { $0.applianceID?.storable }), .textArray(entries.map { $0.commandID?.storable }),
        .textArray(entries.map { $0.address?.storable }), .textArray(entries.map(\.detail.storable)),
        .int8Array(entries.map { Int64($0.count) }),
      ])
  }

  /// Notes the outcomes of commands, with who sent them. To be called in the transaction that stores the commands, behind them.
  static func write(outcomesOf commands: [CommandRow], in session: PostgresSession) throws(PostgresError) {
    let settled = commands.filter { $0.settlement != nil }
    guard !settled.isEmpty else { return }
    try session.execute(
      """
      INSERT INTO audit_log (entry, at, service, action, result, user_id, appliance_id, command_id, detail)
      SELECT md5('command.settled ' || appliance_id || ' ' || command_id)::uuid, settled_at, 'persister', '\(AuditEntry.Action.commandSettled.rawValue)',
        CASE state WHEN 'acknowledged' THEN 'done' ELSE 'failed' END, user_id, appliance_id, command_id, left(type || coalesce(': ' || code, ''), 255)
      FROM commands JOIN unnest($1::text[], $2::text[]) AS settled (appliance_id, command_id) USING (appliance_id, command_id)
      WHERE settled_at IS NOT NULL
      ON CONFLICT DO NOTHING
      """, [.textArray(settled.map(\.applianceID.rawValue)), .textArray(settled.map(\.id.storable))])
  }

  /// Forgets what is older than so many days, some thousands at a time, by the owner's function: the service's own role may not. Answers how many went.
  package static func forget(olderThan days: Int, in session: PostgresSession) throws -> Int {
    let gone = try session.query("SELECT forget_audit_log($1)", [.int4(Int32(days))]).decode(Int64.self)
    return gone.first.map { Int($0) } ?? 0
  }
}

/// A line of the audit log as it is stored.
package struct StoredAuditEntry: Sendable {
  package let number: Int64
  package let at: Timestamp
  package let service: String
  package let action: String
  package let result: String
  package let userID: String?
  package let applianceID: String?
  package let commandID: String?
  package let address: String?
  package let detail: String
  package let count: Int
}

/// The audit log, for admins.
package struct AuditStore: Sendable {
  package typealias Page = HistoryPage<StoredAuditEntry, TimePosition>

  /// What narrows the log; nil for anything.
  package struct Filter: Sendable {
    package var userID: String?
    package var applianceID: String?
    package var action: AuditEntry.Action?
    package var result: AuditEntry.Result?

    package init(userID: String? = nil, applianceID: String? = nil, action: AuditEntry.Action? = nil, result: AuditEntry.Result? = nil) {
      (self.userID, self.applianceID, self.action, self.result) = (userID, applianceID, action, result)
    }
  }

  private let pool: PostgresPool
  private static let timeout = Duration.seconds(10)

  package init(_ pool: PostgresPool) { self.pool = pool }

  /// Newest first.
  package func entries(_ filter: Filter, _ window: HistoryWindow, after: TimePosition? = nil, limit: Int = 100) async throws -> Page {
    var parameters: [PostgresValue] = [
      .timestamptz(after?.at ?? window.to), .int8(after?.id ?? 0), Page.rowCount(limit), .timestamptz(window.from),
    ]
    var conditions = "(at, id) < ($1, $2) AND at >= $4"
    let narrowing = [
      ("user_id", filter.userID), ("appliance_id", filter.applianceID), ("action", filter.action?.rawValue),
      ("result", filter.result?.rawValue),
    ]
    for (column, value) in narrowing {
      guard let value else { continue }
      parameters.append(.text(value))
      conditions += " AND \(column) = $\(parameters.count)"
    }
    let rows = try await pool.query(
      """
      SELECT id, at, service, action, result, user_id, appliance_id, command_id, address, detail, count::bigint FROM audit_log
      WHERE \(conditions) ORDER BY at DESC, id DESC LIMIT $3
      """, parameters, timeout: Self.timeout)
    let entries = try rows.decode(
      Int64.self, PostgresTimestamp.self, String.self, String.self, String.self, String?.self, String?.self, String?.self, String?.self,
      String.self, Int64.self
    ).map { row in
      StoredAuditEntry(
        number: row.0, at: Timestamp(row.1), service: row.2, action: row.3, result: row.4, userID: row.5, applianceID: row.6,
        commandID: row.7,
        address: row.8, detail: row.9, count: Int(row.10))
    }
    return Page(entries, limit: limit) { $0.last.map { TimePosition(at: $0.at, id: $0.number) } }
  }
}
