package import Models
package import PostgresClient

/// One metric of one appliance.
package struct WebhookSensor: Hashable, Sendable {
  package let applianceID: ApplianceID
  package let metric: String

  package init(_ applianceID: ApplianceID, _ metric: String) { (self.applianceID, self.metric) = (applianceID, metric) }
}

/// What was told to webhooks of a shard's appliances, as far as it decides what is told next.
package struct WebhookMemory: Hashable, Sendable {
  /// When a sensor was last told of, by the log's time.
  package var toldAt: [WebhookSensor: Timestamp] = [:]
  /// Whether an appliance was online when it last said so.
  package var isOnline: [ApplianceID: Bool] = [:]

  private static let sizeBoundMin = 4096
  /// Past it, sensors are looked through for what can be forgotten.
  private var sizeBound = sizeBoundMin

  package init() {}

  package var isEmpty: Bool { toldAt.isEmpty && isOnline.isEmpty }

  /// Takes in what was remembered since; forgets sensors that were told of before `moment`, once there are many.
  package mutating func add(_ changes: WebhookMemory, forgettingBefore moment: Timestamp) {
    toldAt.merge(changes.toldAt) { $1 }
    isOnline.merge(changes.isOnline) { $1 }
    guard toldAt.count > sizeBound else { return }
    toldAt = toldAt.filter { $0.value > moment }
    sizeBound = max(Self.sizeBoundMin, toldAt.count * 2)
  }

  package static func load(shard: Int, in session: PostgresSession) throws(PostgresError) -> WebhookMemory {
    var memory = WebhookMemory()
    let parameters: [PostgresValue] = [.int2(Int16(shard))]
    for row in try session.query("SELECT appliance_id, metric, told_at FROM webhook_readings WHERE shard = $1", parameters).decode(
      String.self, String.self, PostgresTimestamp.self)
    {
      guard let id = try? ApplianceID(row.0) else { continue }
      memory.toldAt[WebhookSensor(id, row.1)] = Timestamp(row.2)
    }
    for row in try session.query("SELECT appliance_id, is_online FROM webhook_presence WHERE shard = $1", parameters).decode(
      String.self, Bool.self)
    {
      guard let id = try? ApplianceID(row.0) else { continue }
      memory.isOnline[id] = row.1
    }
    return memory
  }

  /// Keeps this beside what is stored, with at most two statements.
  package func store(shard: Int, in session: PostgresSession) throws(PostgresError) {
    if !toldAt.isEmpty {
      let rows = Array(toldAt)
      try session.execute(
        """
        INSERT INTO webhook_readings (appliance_id, metric, shard, told_at)
        SELECT appliance_id, metric, $1, told_at FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS new (appliance_id, metric, told_at)
        ON CONFLICT (appliance_id, metric) DO UPDATE SET told_at = excluded.told_at
        """,
        [
          .int2(Int16(shard)), .textArray(rows.map(\.key.applianceID.rawValue)), .textArray(rows.map(\.key.metric)),
          .timestamptzArray(rows.map { PostgresTimestamp($0.value) }),
        ])
    }
    if !isOnline.isEmpty {
      let rows = Array(isOnline)
      try session.execute(
        """
        INSERT INTO webhook_presence (appliance_id, shard, is_online)
        SELECT appliance_id, $1, is_online = 1 FROM unnest($2::text[], $3::int8[]) AS new (appliance_id, is_online)
        ON CONFLICT (appliance_id) DO UPDATE SET is_online = excluded.is_online
        """, [.int2(Int16(shard)), .textArray(rows.map(\.key.rawValue)), .int8Array(rows.map { $0.value ? 1 : 0 })])
    }
  }

  /// Forgets when sensors were told of that have been silent since.
  ///
  /// - Parameter moment: long before now.
  package static func forget(toldBefore moment: Timestamp, in session: PostgresSession) throws(PostgresError) {
    try session.execute("DELETE FROM webhook_readings WHERE told_at < $1", [.timestamptz(moment)])
  }
}
