package import Models
package import PostgresClient

/// An alarm as it is stored.
package struct StoredAlarm: Sendable {
  package let alarm: AlarmRows.Alarm
  package let raisedAt: Timestamp
  package let updatedAt: Timestamp
  package let acknowledged: (at: Timestamp, by: String)?
  package let cleared: (at: Timestamp, reason: String)?
}

/// Alarms, for those who look after appliances.
package struct AlarmStore: Sendable {
  package typealias Page = HistoryPage<StoredAlarm, TimePosition>

  /// Whose alarms.
  package enum Scope: Hashable, Sendable {
    case appliance(ApplianceID)
    /// Of every appliance that is the user's or shared with them.
    case visible(toUser: String)
    case everything
  }

  private let pool: PostgresPool
  private static let timeout = Duration.seconds(10)

  package init(_ pool: PostgresPool) { self.pool = pool }

  private static let columns = """
    id, appliance_id, source, name, severity, metric, value, raised_count, raised_at, updated_at, acknowledged_at, acknowledged_by,
      cleared_at, clear_reason
    """

  /// Newest first, by when they were raised.
  ///
  /// - Parameter isOpen: only those that are open, or only those that are cleared; nil for both.
  package func alarms(_ scope: Scope, isOpen: Bool? = nil, after: TimePosition? = nil, limit: Int = 100) async throws -> Page {
    var parameters: [PostgresValue] = [.timestamptz(after?.at ?? HistoryWindow().to), .int8(after?.id ?? 0), Page.rowCount(limit)]
    var conditions = "(raised_at, id) < ($1, $2)"
    if let isOpen { conditions += isOpen ? " AND cleared_at IS NULL" : " AND cleared_at IS NOT NULL" }
    var source = "alarms"
    switch scope {
    case .everything: break
    case .appliance(let id):
      conditions += " AND appliance_id = $4"
      parameters.append(id.column)
    case .visible(let user):
      source = """
        (SELECT id AS of FROM appliances WHERE owner_id = $4 UNION SELECT appliance_id FROM appliance_shares WHERE user_id = $4) AS visible
        CROSS JOIN LATERAL (
          SELECT * FROM alarms WHERE appliance_id = visible.of AND \(conditions) ORDER BY raised_at DESC, id DESC LIMIT $3) AS alarms
        """
      parameters.append(.text(user))
    }
    let rows = try await pool.query(
      "SELECT \(Self.columns) FROM \(source) WHERE \(conditions) ORDER BY raised_at DESC, id DESC LIMIT $3", parameters,
      timeout: Self.timeout)
    return Page(try Self.alarms(rows), limit: limit) { $0.last.map { TimePosition(at: $0.raisedAt, id: $0.alarm.id) } }
  }

  /// Notes that somebody has seen the alarm, and has it told. Of many who do so the first counts, and one that is cleared by then is acknowledged all the same.
  ///
  /// - Parameter includingDevices: whether also one that the device itself raised.
  /// - Returns: the alarm as it is by now; nil when the appliance has none of that number.
  package func acknowledge(
    _ id: Int64, of appliance: ApplianceID, by user: String, includingDevices: Bool, now: Timestamp = .now()
  ) async throws -> StoredAlarm? {
    let condition = "id = $1 AND appliance_id = $2" + (includingDevices ? "" : " AND source NOT LIKE 'code:%'")
    return try await pool.withTransaction(timeout: Self.timeout) { session in
      let changed = try Self.alarms(
        session.query(
          """
          UPDATE alarms SET acknowledged_at = greatest($3, raised_at), acknowledged_by = $4, updated_at = greatest($3, updated_at)
          WHERE \(condition) AND acknowledged_at IS NULL RETURNING \(Self.columns)
          """, [.int8(id), appliance.column, .timestamptz(now), .text(user)]))
      if let alarm = changed.first {
        let message = alarm.alarm.message(.alarmAcknowledged, at: now, acknowledgement: (user, alarm.cleared != nil))
        try RuleOutbox.append([message], in: session)
        return alarm
      }
      return try Self.alarms(
        session.query("SELECT \(Self.columns) FROM alarms WHERE \(condition)", [.int8(id), appliance.column])
      ).first
    }
  }

  private static func alarms(_ rows: PostgresRows) throws -> [StoredAlarm] {
    try rows.decode(
      Int64.self, String.self, String.self, String.self, String.self, String.self, Double?.self, Int64.self, PostgresTimestamp.self,
      PostgresTimestamp.self, PostgresTimestamp?.self, String?.self, PostgresTimestamp?.self, String?.self
    ).map { row in
      StoredAlarm(
        alarm: AlarmRows.Alarm(
          id: row.0, applianceID: try ApplianceID(row.1), source: row.2, name: row.3, severity: row.4, metric: row.5, value: row.6,
          raisedCount: Int(row.7)),
        raisedAt: Timestamp(row.8), updatedAt: Timestamp(row.9), acknowledged: row.10.map { (Timestamp($0), row.11 ?? "") },
        cleared: row.12.map { (Timestamp($0), row.13 ?? "") })
    }
  }
}
