import EventLog
import LocalStack
import Models
import NIOPosix
import PostgresClient
import RedisClient
import Store
import Testing

@testable import Persister

@Suite struct RedisLogTests {
  /// Runs `body` beside a replica that reads a real Redis, with the rights of the service, and the log that fills it.
  private func withRedis(_ body: @Sendable (LocalStack, PostgresServer, RedisEventLog, RedisClient) async throws -> Void) async throws {
    try await withDatabase([.postgres, .redis]) { stack, postgres in
      let redis = try stack.redis
      func configuration(_ user: RedisServer.User) throws -> RedisConfiguration {
        try RedisConfiguration(url: redis.url(user), password: redis.password(user))
      }
      let loops = MultiThreadedEventLoopGroup.singleton
      let writing = RedisEventLog(configuration: try configuration(.ingest), eventLoopGroup: loops, logger: quiet)
      let reading = RedisEventLog(configuration: try configuration(.persister), eventLoopGroup: loops, logger: quiet)
      let admin = RedisClient(configuration: try configuration(.admin), eventLoopGroup: loops, logger: quiet)
      let replica = try Replica(postgres, reading)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await writing.run() }
        group.addTask { try await reading.run() }
        group.addTask { try await admin.run() }
        try await replica.running { try await body(stack, postgres, writing, admin) }
        group.cancelAll()
      }
    }
  }

  @Test func `What is in Redis gets into PostgreSQL once, also across a restart of Redis`() async throws {
    try await withRedis { stack, postgres, log, _ in
      _ = try await log.append(entries(0..<2000))
      try await postgres.eventually(distinctNumbers, is: 2000)
      try await stack.kill("redis")
      try await stack.start("redis")
      try await eventually("Redis takes in again") { (try? await log.append(entries(2000..<3000))) != nil }
      try await postgres.eventually(distinctNumbers, is: 3000)
    }
  }

  @Test func `A log that was rolled back doubles nothing and goes on`() async throws {
    try await withRedis { _, postgres, log, admin in
      // A consumer that never moves keeps the log from being trimmed.
      _ = try await postgres.query("INSERT INTO log_cursors (consumer, shard) SELECT 'rules', generate_series(0, 15)")
      _ = try await log.append(entries(0..<100, appliances: 1))
      try await postgres.eventually(eventCount, is: 100)
      let stream = Bus.events(Bus.shard(of: try ApplianceID("A-0")))
      let kept = try await admin.send(RedisCommand("XRANGE", stream, "-", "+", "COUNT", 60)).array ?? []
      // The same life of the log without its last forty entries, as after a restore from an older copy.
      var restore = [RedisCommand("MULTI"), RedisCommand("DEL", stream)]
      for entry in kept {
        var add = RedisCommand("XADD", stream)
        add.append(try #require(entry.array?.first?.text))
        for field in try #require(entry.array?.last?.array) { add.append(try #require(field.text)) }
        restore.append(add)
      }
      for reply in try await admin.pipeline(restore + [RedisCommand("EXEC")]) { _ = try reply.get() }
      try await postgres.eventually("SELECT count(*) FROM log_cursors WHERE consumer = 'persister' AND known_ms > 0", is: 1)
      _ = try await log.append(entries(100..<150, appliances: 1))
      try await postgres.eventually(distinctNumbers, is: 150)
      #expect(try await postgres.number(eventCount) == 150)
    }
  }
}
