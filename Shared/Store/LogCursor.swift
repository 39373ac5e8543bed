package import Models
package import PostgresClient

/// How far one consumer of the log has come in one shard.
package struct LogCursor: Hashable, Sendable {
  package let consumer: String
  package let shard: Int
  /// The life of the log that `position` belongs to; empty before the first read.
  package var epoch: String
  /// The last entry that took effect.
  package var position: EventID
  /// Entries up to this one may have taken effect before, because the log was lost or rolled back and is read anew.
  package var knownUntil: EventID

  package init(consumer: String, shard: Int, epoch: String = "", position: EventID = .zero, knownUntil: EventID = .zero) {
    self.consumer = consumer
    self.shard = shard
    self.epoch = epoch
    self.position = position
    self.knownUntil = knownUntil
  }

  /// The cursor as it is stored; a new consumer begins with the oldest entry.
  package static func load(consumer: String, shard: Int, in session: PostgresSession) throws(PostgresError) -> LogCursor {
    let key: [PostgresValue] = [.text(consumer), .int2(Int16(shard))]
    try session.execute("INSERT INTO log_cursors (consumer, shard) VALUES ($1, $2) ON CONFLICT DO NOTHING", key)
    let rows = try session.query(
      "SELECT epoch, log_ms, log_seq, known_ms, known_seq FROM log_cursors WHERE consumer = $1 AND shard = $2", key)
    guard let row = try rows.decode(String.self, Int64.self, Int64.self, Int64.self, Int64.self).first else {
      return LogCursor(consumer: consumer, shard: shard)
    }
    return LogCursor(
      consumer: consumer, shard: shard, epoch: row.0, position: EventID(column: row.1, row.2), knownUntil: EventID(column: row.3, row.4))
  }

  /// Puts `next` in this cursor's place, if the stored one is still this one.
  ///
  /// - Returns: false when somebody else has moved it: whatever else the transaction wrote must be rolled back.
  package func advance(to next: LogCursor, in session: PostgresSession) throws(PostgresError) -> Bool {
    try session.execute(
      """
      UPDATE log_cursors SET epoch = $3, log_ms = $4, log_seq = $5, known_ms = $6, known_seq = $7, updated_at = now()
      WHERE consumer = $1 AND shard = $2 AND epoch = $8 AND log_ms = $9 AND log_seq = $10
      """,
      [
        .text(consumer), .int2(Int16(shard)), .text(next.epoch), next.position.milliseconds.column, next.position.sequence.column,
        next.knownUntil.milliseconds.column, next.knownUntil.sequence.column, .text(epoch), position.milliseconds.column,
        position.sequence.column,
      ]) == 1
  }

  /// Below which entry the shard may be trimmed: the slowest consumer's position, or zero while one of them has yet to begin this epoch.
  package static func slowest(shard: Int, epoch: String, in session: PostgresSession) throws(PostgresError) -> EventID {
    let rows = try session.query("SELECT epoch, log_ms, log_seq FROM log_cursors WHERE shard = $1", [.int2(Int16(shard))])
    let cursors = try rows.decode(String.self, Int64.self, Int64.self)
    return cursors.map { $0.0 == epoch ? EventID(column: $0.1, $0.2) : .zero }.min() ?? .zero
  }
}

extension EventID {
  init(column milliseconds: Int64, _ sequence: Int64) {
    self.init(milliseconds: UInt64(clamping: milliseconds), sequence: UInt64(clamping: sequence))
  }
}

extension UInt64 {
  var column: PostgresValue { .int8(Int64(clamping: self)) }
}
