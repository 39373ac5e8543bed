package import Models
package import PostgresClient
package import RuleEvaluation

/// What is to go into the event log because of rules and alarms, and is not there yet. Whoever owns the shard puts it there.
package enum RuleOutbox {
  package enum Kind: Hashable, Sendable {
    case event
    /// - Parameter sender: on whose behalf.
    case command(sender: String)
  }

  /// Something to be told of one appliance.
  package struct Message: Hashable, Sendable {
    package let kind: Kind
    package let applianceID: ApplianceID
    package let type: EventType
    /// A JSON object, as its text.
    package let data: [UInt8]
    package let madeAt: Timestamp

    package init(_ type: EventType, of applianceID: ApplianceID, data: [UInt8], at madeAt: Timestamp, as kind: Kind = .event) {
      (self.kind, self.applianceID, self.type, self.data, self.madeAt) = (kind, applianceID, type, data, madeAt)
    }
  }

  package struct Item: Hashable, Sendable {
    package let id: Int64
    /// 16 random bytes, by which the log knows a second attempt.
    package let key: [UInt8]
    package let message: Message
  }

  /// Adds messages, to be sent in this order. One statement.
  package static func append(_ messages: [Message], in session: PostgresSession) throws(PostgresError) {
    guard !messages.isEmpty else { return }
    try session.execute(
      """
      INSERT INTO rule_outbox (shard, appliance_id, kind, type, data, sender, made_at)
      SELECT shard, appliance_id, kind, type, data::json, sender, made_at
      FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
        WITH ORDINALITY AS new (shard, appliance_id, kind, type, data, sender, made_at, place)
      ORDER BY place
      """,
      [
        .int8Array(messages.map { Int64(Bus.shard(of: $0.applianceID)) }), .textArray(messages.map(\.applianceID.rawValue)),
        .textArray(messages.map(\.kind.word)), .textArray(messages.map(\.type.rawValue)),
        .textArray(messages.map { String(decoding: $0.data, as: UTF8.self) }), .textArray(messages.map(\.kind.sender)),
        .timestamptzArray(messages.map { PostgresTimestamp($0.madeAt) }),
      ])
  }

  /// The oldest items of a shard. Whoever asks owns the shard.
  package static func items(of shard: Int, limit: Int, in session: PostgresSession) throws -> [Item] {
    let rows = try session.query(
      "SELECT id, key, appliance_id, kind, type, data, sender, made_at FROM rule_outbox WHERE shard = $1 ORDER BY id LIMIT $2",
      [.int2(Int16(shard)), .int8(Int64(limit))])
    return try rows.decode(
      Int64.self, [UInt8].self, String.self, String.self, String.self, [UInt8].self, String?.self, PostgresTimestamp.self
    ).map {
      let message = Message(
        try EventType($0.4), of: try ApplianceID($0.2), data: $0.5, at: Timestamp($0.7),
        as: $0.3 == "command" ? .command(sender: $0.6 ?? "") : .event)
      return Item(id: $0.0, key: $0.1, message: message)
    }
  }

  package static func remove(_ ids: [Int64], in session: PostgresSession) throws(PostgresError) {
    try session.execute("DELETE FROM rule_outbox WHERE id = ANY($1)", [.int8Array(ids)])
  }
}

extension RuleOutbox.Kind {
  fileprivate var word: String { if case .event = self { "event" } else { "command" } }
  fileprivate var sender: String? { if case .command(let sender) = self { sender } else { nil } }
}

/// The record of what fired.
package enum FiringRows {
  /// One statement.
  package static func record(_ firings: [(firing: Firing, severity: Severity)], in session: PostgresSession) throws(PostgresError) {
    guard !firings.isEmpty else { return }
    try session.execute(
      """
      INSERT INTO rule_firings (rule_id, appliance_id, metric, value, severity, fired_at)
      SELECT rule_id, appliance_id, metric, value, severity, fired_at
      FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::timestamptz[])
        WITH ORDINALITY AS new (rule_id, appliance_id, metric, value, severity, fired_at, place)
      ORDER BY place
      """,
      [
        .textArray(firings.map(\.firing.ruleID)), .textArray(firings.map(\.firing.applianceID.rawValue)),
        .textArray(firings.map(\.firing.metric.storable)), .float8Array(firings.map(\.firing.value)),
        .textArray(firings.map(\.severity.rawValue)), .timestamptzArray(firings.map { PostgresTimestamp($0.firing.at) }),
      ])
  }

  /// Removes up to `limit` of those that fired before a moment.
  ///
  /// - Returns: how many.
  package static func forget(before moment: Timestamp, limit: Int, in session: PostgresSession) throws(PostgresError) -> Int {
    try session.execute(
      "DELETE FROM rule_firings WHERE id IN (SELECT id FROM rule_firings WHERE fired_at < $1 LIMIT $2)",
      [.timestamptz(moment), .int8(Int64(limit))])
  }
}
