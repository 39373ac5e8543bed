package import Models
package import PostgresClient
package import RuleEvaluation

/// Alarms: one open row for each appliance and source.
package enum AlarmRows {
  /// Who says so: `rule:<id>`, or `code:<the device's code>`.
  package struct Name: Hashable, Sendable {
    package let applianceID: ApplianceID
    package let source: String

    package init(_ applianceID: ApplianceID, rule id: String) { (self.applianceID, source) = (applianceID, "rule:\(id)") }
    package init(_ applianceID: ApplianceID, code: String) { (self.applianceID, source) = (applianceID, "code:\(code)") }
  }

  /// What raises an alarm; several in a row are counted and leave the newest.
  package struct Raising: Hashable, Sendable {
    package let alarm: Name
    /// For people.
    package let name: String
    package let severity: Severity
    /// Empty where it is about no metric.
    package let metric: String
    package let value: Double?
    /// By the log's time; of several, the newest.
    package let at: Timestamp
    /// Of several, the first.
    package var firstAt: Timestamp
    package var count = 1

    package init(_ alarm: Name, name: String, severity: Severity, metric: String = "", value: Double? = nil, at: Timestamp) {
      (self.alarm, self.name, self.severity, self.metric, self.value) = (alarm, name, severity, metric, value)
      (self.at, firstAt) = (at, at)
    }
  }

  package enum ClearReason: String, Hashable, Sendable, CaseIterable {
    case recovered
    /// The rule was changed, disabled or removed, or is not for this appliance any more.
    case ruleChanged = "rule_changed"
    /// The device itself said so.
    case device
  }

  /// An alarm as its events tell it.
  package struct Alarm: Hashable, Sendable {
    package let id: Int64
    package let applianceID: ApplianceID
    package let source: String
    /// Whether the device itself raised it (`reefnet:alarm`).
    package var isDevices: Bool { source.hasPrefix("code:") }
    package let name: String
    package let severity: String
    package let metric: String
    package let value: Double?
    package let raisedCount: Int
  }

  /// Raises the alarm, or counts up the one that is open.
  ///
  /// - Returns: the alarm, and whether it was not open before.
  package static func raise(_ raising: Raising, in session: PostgresSession) throws -> (alarm: Alarm, isNew: Bool) {
    let rows = try session.query(
      """
      INSERT INTO alarms AS open (appliance_id, source, name, severity, metric, value, raised_count, raised_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
      ON CONFLICT (appliance_id, source) WHERE cleared_at IS NULL DO UPDATE SET
        name = excluded.name, severity = excluded.severity, metric = excluded.metric, value = excluded.value,
        raised_count = open.raised_count + excluded.raised_count, updated_at = greatest(open.updated_at, excluded.updated_at)
      RETURNING id, raised_count
      """,
      [
        raising.alarm.applianceID.column, .text(raising.alarm.source.storable), .text(raising.name.storable),
        .text(raising.severity.rawValue), .text(raising.metric.storable), raising.value.map(PostgresValue.float8) ?? .null,
        .int8(Int64(raising.count)), .timestamptz(raising.firstAt), .timestamptz(raising.at),
      ])
    guard let row = try rows.decode(Int64.self, Int64.self).first else {
      throw PostgresError(.unexpectedResult, message: "An alarm was raised without a row")
    }
    let alarm = Alarm(
      id: row.0, applianceID: raising.alarm.applianceID, source: raising.alarm.source, name: raising.name,
      severity: raising.severity.rawValue, metric: raising.metric, value: raising.value, raisedCount: Int(row.1))
    return (alarm, alarm.raisedCount == raising.count)
  }

  /// Clears the open alarm.
  ///
  /// - Returns: nil when there is none: the rule raises none, or it is cleared already.
  package static func clear(
    _ alarm: Name, because reason: ClearReason, at time: Timestamp, in session: PostgresSession
  ) throws(PostgresError) -> Alarm? {
    let rows = try session.query(
      """
      UPDATE alarms SET cleared_at = greatest($3, raised_at), updated_at = greatest($3, updated_at), clear_reason = $4
      WHERE appliance_id = $1 AND source = $2 AND cleared_at IS NULL
      RETURNING id, name, severity, metric, value, raised_count
      """, [alarm.applianceID.column, .text(alarm.source.storable), .timestamptz(time), .text(reason.rawValue)])
    return try rows.decode(Int64.self, String.self, String.self, String.self, Double?.self, Int64.self).first.map {
      Alarm(
        id: $0.0, applianceID: alarm.applianceID, source: alarm.source, name: $0.1, severity: $0.2, metric: $0.3, value: $0.4,
        raisedCount: Int($0.5))
    }
  }

  /// Removes up to `limit` of those that were cleared before a moment.
  ///
  /// - Returns: how many.
  package static func forget(clearedBefore moment: Timestamp, limit: Int, in session: PostgresSession) throws(PostgresError) -> Int {
    try session.execute(
      "DELETE FROM alarms WHERE id IN (SELECT id FROM alarms WHERE cleared_at < $1 LIMIT $2)", [.timestamptz(moment), .int8(Int64(limit))])
  }
}
