package import PostgresClient

/// Who reads which shard: PostgreSQL's advisory locks, which belong to a session and vanish with it.
///
/// Everything that is written for a shard is to go through the session that holds its lock: with the session the right to
/// write is gone, and the server itself stops who lost it.
package struct ShardLocks: Sendable {
  /// Locks of one consumer of the log never meet those of another.
  private let consumer: String

  package init(consumer: String) { self.consumer = consumer }

  /// Makes this session one of those that share the shards.
  package func join(in session: PostgresSession) throws(PostgresError) {
    try session.execute("SELECT pg_advisory_lock_shared(hashtext($1), 0)", [.text(key)])
  }

  /// The sessions that share the shards, by server process, in order; and which of them this one is.
  package func members(in session: PostgresSession) throws(PostgresError) -> (all: [Int], own: Int) {
    let rows = try session.query(
      """
      SELECT DISTINCT pid, pg_backend_pid() FROM pg_locks
      WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = hashtext($1)::oid AND objid = 0 AND objsubid = 2 AND mode = 'ShareLock' AND granted
      ORDER BY pid
      """, [.text(key)])
    let pairs = try rows.decode(Int.self, Int.self)
    return (pairs.map(\.0), pairs.first?.1 ?? 0)
  }

  /// - Returns: false while another session has the shard.
  package func take(_ shard: Int, in session: PostgresSession) throws(PostgresError) -> Bool {
    try session.query("SELECT pg_try_advisory_lock(hashtext($1), $2)", [.text(key), objectID(shard)]).decode(Bool.self) == [true]
  }

  package func release(_ shard: Int, in session: PostgresSession) throws(PostgresError) {
    try session.execute("SELECT pg_advisory_unlock(hashtext($1), $2)", [.text(key), objectID(shard)])
  }

  private var key: String { "martlet.\(consumer)" }

  /// 0 is the lock of the members.
  private func objectID(_ shard: Int) -> PostgresValue { .int4(Int32(shard) + 1) }
}
