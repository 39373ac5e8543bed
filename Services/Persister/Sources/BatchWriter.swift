import EventLog
import LogConsumer
import Logging
import Models
import PostgresClient
import Store

/// Writes batches of one shard: rows, what follows from them, and cursor in one transaction, on the session that holds the shard's lock.
struct BatchWriter: ShardEffects {
  let shard: Int
  let connection: PostgresConnection
  let calendar: PartitionCalendar
  let metrics: PersisterMetrics
  let logger: Logger

  /// Stores all records behind `cursor`, in order. What PostgreSQL refuses becomes a dead letter, and the rest goes on.
  ///
  /// - Returns: the cursor behind the last of them.
  /// - Throws: `PostgresError` that is not the records' fault, or `CursorMoved`. What was stored by then stays stored.
  func store(_ records: [LogRecord], epoch: String, from cursor: LogCursor) async throws -> LogCursor {
    var cursor = try await cursor.adopting(epoch, on: connection)
    let known = try await known(among: records, cursor)
    var bisection = Bisection(count: records.count)
    var mayMissPartitions = true
    while let range = bisection.next {
      let batch = records[range]
      do {
        cursor = try await commit(RecordRows(batch, shard: shard, known: known), through: batch.last?.id ?? cursor.position, from: cursor)
        bisection.accepted()
      } catch let error as PostgresError where error.isRefusalOfData {
        // A partition that was removed under us looks like a refused row: 23514.
        if mayMissPartitions, error.sqlState == "23514" {
          mayMissPartitions = false
          calendar.forget()
          continue
        }
        guard let index = bisection.refused() else { continue }
        cursor = try await bury(records[index], because: error, from: cursor)
      }
    }
    return cursor
  }

  private func commit(_ rows: RecordRows, through last: EventID, from cursor: LogCursor) async throws -> LogCursor {
    try await calendar.require(rows.days, on: connection)
    var next = cursor
    next.position = last
    let target = next
    let start = ContinuousClock.now
    try await connection.transaction { session in
      try rows.write(in: session)
      try cursor.move(to: target, in: session)
    }
    metrics.committed(rows, in: .now - start)
    return target
  }

  private func bury(_ record: LogRecord, because error: PostgresError, from cursor: LogCursor) async throws -> LogCursor {
    logger.error(
      "PostgreSQL refused a record of the log; it is kept in dead_letters",
      metadata: ["shard": "\(shard)", "id": "\(record.id)", "error": "\(error)"])
    let rows = RecordRows(refused: record, shard: shard, reason: "PostgreSQL refused it: \(error)")
    return try await commit(rows, through: record.id, from: cursor)
  }

  /// Which of the records are stored already; asked only behind a log that was lost or rolled back.
  private func known(among records: [LogRecord], _ cursor: LogCursor) async throws -> Set<EventID> {
    let candidates = records.prefix { $0.id <= cursor.knownUntil }
    guard !candidates.isEmpty else { return [] }
    return try await connection.run { session in
      let events = candidates.compactMap { record -> (id: EventID, event: Event)? in
        guard case .event(let event) = record.content else { return nil }
        return (record.id, event)
      }
      // A record that was refused stands among the dead letters under its place, whatever it was.
      return try StoredEvents.among(events, shard: shard, in: session)
        .union(StoredEvents.deadLetters(among: candidates.map { ($0.id, $0.keptPayload) }, shard: shard, in: session))
    }
  }
}
