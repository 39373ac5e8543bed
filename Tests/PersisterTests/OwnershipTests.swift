import EventLog
import LocalStack
import LogConsumer
import Models
import PostgresClient
import ServiceLifecycle
import ServiceRuntime
import Store
import Testing

@testable import Persister

@Suite struct OwnershipTests {
  private static let sessions =
    "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 0 AND mode = 'ShareLock' AND objsubid = 2"

  /// How many sessions own so many shards.
  private static func sharesOf(_ count: Int) -> String {
    """
    SELECT count(*) FROM (
      SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid > 0 AND mode = 'ExclusiveLock' AND objsubid = 2
      GROUP BY pid HAVING count(*) = \(count)) AS share
    """
  }

  @Test func `Replicas share the shards evenly and take over from one that goes`() async throws {
    try await withDatabase { _, postgres in
      let log = MemoryEventLog()
      let first = try Replica(postgres, log)
      let second = try Replica(postgres, log)
      try await first.running {
        try await postgres.eventually(Self.sharesOf(16), is: 1)
        try await second.running {
          try await postgres.eventually(Self.sharesOf(8), is: 2)
          _ = try await log.append(entries(0..<500))
          try await postgres.eventually(eventCount, is: 500)
        }
        try await postgres.eventually(Self.sharesOf(16), is: 1)
        _ = try await log.append(entries(500..<1000))
        try await postgres.eventually(eventCount, is: 1000)
        #expect(try await postgres.number(distinctNumbers) == 1000)
      }
    }
  }

  @Test func `Sessions that are killed at any moment cost nothing and double nothing`() async throws {
    try await withDatabase { _, postgres in
      let log = MemoryEventLog()
      let replica = try Replica(postgres, log) { limits in
        limits.workers = 3
        limits.batchRecordsMax = 64
      }
      try await replica.running {
        for round in 0..<12 {
          _ = try await log.append(entries(round * 500..<(round + 1) * 500))
          try await eventually("somebody writes") { try await postgres.number(Self.sessions) > 0 }
          _ = try await postgres.query("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'martlet_persister'")
        }
        try await postgres.eventually(distinctNumbers, is: 6000)
        #expect(try await postgres.number(eventCount) == 6000)
      }
    }
  }

  @Test func `A PostgreSQL that pauses or dies loses nothing and is written to again`() async throws {
    try await withDatabase { stack, postgres in
      let log = MemoryEventLog()
      let replica = try Replica(postgres, log, callTimeout: .milliseconds(500))
      try await replica.running {
        _ = try await log.append(entries(0..<100))
        try await postgres.eventually(eventCount, is: 100)
        try await stack.pause("postgres")
        _ = try await log.append(entries(100..<5000))
        try await eventually("the pause is noticed") { (try? replica.progress.check()) == nil }
        let lags = replica.progress.samples(now: .now() + .seconds(60)).filter { $0.name.hasSuffix("lag_seconds") }
        #expect(lags.contains { $0.value > 50 })
        try await stack.resume("postgres")
        try await postgres.eventually(distinctNumbers, is: 5000)
        try await stack.kill("postgres")
        _ = try await log.append(entries(5000..<6000))
        try await stack.start("postgres")
        try await postgres.eventually(distinctNumbers, is: 6000)
        #expect(try await postgres.number(eventCount) == 6000)
      }
    }
  }

  @Test func `A shutdown ends after the batch in hand and frees the shards`() async throws {
    try await withDatabase { _, postgres in
      let log = MemoryEventLog()
      let replica = try Replica(postgres, log)
      let group = ServiceGroup(services: replica.workers, logger: quiet)
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        _ = try await log.append(entries(0..<100))
        try await postgres.eventually(eventCount, is: 100)
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
      #expect(replica.ownedShards == 0)
      try await postgres.eventually(Self.sessions, is: 0)
    }
  }

  @Test func `Who writes with a cursor that has moved stores nothing`() async throws {
    try await withDatabase { _, postgres in
      let log = MemoryEventLog()
      _ = try await log.append(entries(0..<10, appliances: 1))
      let shard = Bus.shard(of: try ApplianceID("A-0"))
      let page = try await log.read(shard: shard, after: .zero, limit: 10, wait: .zero)
      let connection = try await PostgresConnection.connect(postgres.configuration(.persister), logger: quiet)
      let start = try await connection.run { try LogCursor.load(consumer: "persister", shard: shard, in: $0) }
      let writer = BatchWriter(
        shard: shard, connection: connection, calendar: PartitionCalendar(daysAhead: 1), metrics: PersisterMetrics(), logger: quiet)
      let end = try await writer.store(page.records, epoch: page.epoch, from: start)
      #expect(end.position == page.lastID)
      await #expect(throws: CursorMoved.self) { try await writer.store(page.records, epoch: page.epoch, from: start) }
      var stale = end
      stale.position = page.records[4].id
      let behind = stale
      await #expect(throws: CursorMoved.self) { try await writer.store(page.records, epoch: page.epoch, from: behind) }
      #expect(try await postgres.number(eventCount) == 10)
    }
  }
}
