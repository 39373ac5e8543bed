package import EventLog
package import Models
package import PostgresClient
package import Store

/// What a consumer of the log does with it: everything that this library does not know.
///
/// This library reads each shard from its cursor, on the one session that holds the shard's lock; the effects are written through that session, in the
/// transaction that moves the cursor.
package protocol LogEffects: Sendable {
  /// Called with a new session, and again whenever shards are shared anew or the day (UTC) has changed.
  func prepare(on connection: PostgresConnection) async throws

  /// The effects of one shard, from now on until the shard is given up or the session fails. State that is kept in memory belongs into it.
  func effects(of shard: Int, on connection: PostgresConnection) async throws -> any ShardEffects
}

extension LogEffects {
  package func prepare(on connection: PostgresConnection) async throws {}
}

/// Calls come one after the other. When one throws, the session and this value are given up, and the next begin from what is stored.
package protocol ShardEffects: Sendable {
  /// Lets the records behind `cursor` take effect, in order.
  ///
  /// - Returns: the cursor behind the last of them, as it is stored.
  func store(_ records: [LogRecord], epoch: String, from cursor: LogCursor) async throws -> LogCursor

  /// The log had nothing behind `cursor` when its clock showed `time`: what comes later is not older.
  ///
  /// - Returns: the cursor, which may have been stored anew.
  func idle(at time: Timestamp, _ cursor: LogCursor) async throws -> LogCursor
}

extension ShardEffects {
  package func idle(at time: Timestamp, _ cursor: LogCursor) async throws -> LogCursor { cursor }
}

/// The stored cursor is not the one that this consumer left: somebody else writes the shard.
package struct CursorMoved: Error, CustomStringConvertible {
  package let shard: Int
  package var description: String { "Shard \(shard) was moved on by another \(consumer): nothing of this batch was stored" }
  private let consumer: String

  package init(_ cursor: LogCursor) { (shard, consumer) = (cursor.shard, cursor.consumer) }
}

extension LogCursor {
  /// Puts `next` in its place, in the transaction that is open.
  ///
  /// - Throws: `CursorMoved`, which is to end the transaction.
  package func move(to next: LogCursor, in session: PostgresSession) throws {
    guard try advance(to: next, in: session) else { throw CursorMoved(self) }
  }

  /// Puts `next` in its place without any effects.
  package func move(to next: LogCursor, on connection: PostgresConnection) async throws -> LogCursor {
    try await connection.transaction { session in try move(to: next, in: session) }
    return next
  }

  /// A consumer's first read tells it the log's epoch.
  package func adopting(_ epoch: String, on connection: PostgresConnection) async throws -> LogCursor {
    guard self.epoch != epoch else { return self }
    var next = self
    next.epoch = epoch
    return try await move(to: next, on: connection)
  }
}
