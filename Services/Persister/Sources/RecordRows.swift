import EventLog
import LogConsumer
import Models
import PostgresClient
import Store

/// Records as rows, what follows from them, and what became of them.
struct RecordRows: Sendable {
  private(set) var rows = EventRows()
  private(set) var projections = Projections()
  private(set) var days: Set<PartitionDay> = []
  private(set) var refusedCount = 0
  private(set) var knownCount = 0

  /// - Parameter known: places whose records are stored already.
  init(_ records: some Sequence<LogRecord>, shard: Int, known: Set<EventID> = []) {
    for record in records {
      guard !known.contains(record.id) else {
        knownCount += 1
        continue
      }
      switch record.content {
      case .event(let event):
        let day = PartitionDay(of: record.id.receivedAt)
        guard day.isPossible else {
          appendRefused(record, shard: shard, reason: "The log's id \(record.id) is no time between 1970 and 2199")
          continue
        }
        days.insert(day)
        rows.append(event, id: record.id, shard: shard, late: record.isLate)
        projections.append(event, id: record.id, isLate: record.isLate)
      case .deadLetter(let letter):
        rows.append(letter, id: record.id, shard: shard)
      }
    }
    projections.finish()
  }

  /// One record that cannot be stored as what it is.
  init(refused record: LogRecord, shard: Int, reason: String) {
    appendRefused(record, shard: shard, reason: reason)
  }

  /// Sends everything. To be called in the transaction that moves the cursor, with the days' partitions made.
  func write(in session: PostgresSession) throws(PostgresError) {
    try rows.write(in: session)
    try projections.commands.write(in: session)
    try projections.cooking.write(in: session)
  }

  private mutating func appendRefused(_ record: LogRecord, shard: Int, reason: String) {
    let letter = DeadLetter(topic: Bus.events(shard), payload: record.keptPayload, reason: reason, receivedAt: .now())
    rows.append(letter, id: record.id, shard: shard)
    refusedCount += 1
  }
}
