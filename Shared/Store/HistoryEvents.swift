package import Models
import PostgresClient

/// An event as it is stored.
package struct StoredEvent: Hashable, Sendable {
  /// With its id.
  package let event: Event
  /// A newer event of its type had been stored before.
  package let isLate: Bool
}

extension HistoryStore {
  package typealias EventPage = HistoryPage<StoredEvent, EventID>

  /// Events of one appliance, in the order in which the log took them in.
  ///
  /// - Parameters:
  ///   - window: of the time of receipt.
  ///   - types: nil for all. None of another type is read for a type that is not telemetry, however many there are.
  ///   - after: `next` of the page before.
  /// - Throws: `PostgresError`.
  package func events(
    of appliance: ApplianceID, in window: HistoryWindow = HistoryWindow(), types: Set<EventType>? = nil,
    order: HistoryOrder = .oldestFirst, after: EventID? = nil, limit: Int = 100
  ) async throws -> EventPage {
    var (from, to) = (window.from, window.to)
    let reached = after.map { HistoryWindow.clamped($0.receivedAt) }
    // The days before are not even looked into.
    switch order {
    case .oldestFirst: from = max(from, reached ?? from)
    case .newestFirst: to = min(to, reached.map { $0 + .microseconds(1) } ?? to)
    }
    var parameters: [PostgresValue] = [appliance.column, .timestamptz(from), .timestamptz(to), EventPage.rowCount(limit)]
    var conditions = "appliance_id = $1 AND received_at >= $2 AND received_at < $3"
    if let after, let reached {
      conditions += " AND (received_at, log_seq) \(order.beyond) ($5, $6)"
      parameters += [.timestamptz(reached), after.sequence.column]
    }
    if let types {
      conditions += " AND type = ANY($\(parameters.count + 1))"
      parameters.append(.textArray(types.map(\.rawValue).sorted()))
      if types.allSatisfy(\.isIndexed) { conditions += " AND type <> 'cooking:progress' AND type NOT LIKE 'telemetry%'" }
    }
    let rows = try await query(
      """
      SELECT received_at, log_seq, type, timestamp, late, data, extras FROM events WHERE \(conditions)
      ORDER BY received_at \(order.sql), log_seq \(order.sql) LIMIT $4
      """, parameters)
    let events = try rows.decode(
      PostgresTimestamp.self, Int64.self, String.self, PostgresTimestamp.self, Bool.self, [UInt8].self, [UInt8]?.self
    ).map { row in
      let event = Event(
        type: try EventType(row.2), applianceID: appliance, timestamp: Timestamp(row.3), data: row.5,
        // {"a":1} → ,"a":1
        extras: row.6.map { [UInt8(ascii: ",")] + $0.dropFirst().dropLast() } ?? [],
        id: EventID(column: row.0.microseconds / 1000, row.1))
      return StoredEvent(event: event, isLate: row.4)
    }
    return EventPage(events, limit: limit) { $0.last?.event.id }
  }
}

extension EventType {
  /// Whether the index `events_discrete` has it. Its condition is a little narrower than "not telemetry", for the sake of its cost.
  fileprivate var isIndexed: Bool { rawValue != "cooking:progress" && !rawValue.hasPrefix("telemetry") }
}
