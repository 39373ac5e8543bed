@testable import EventLog
import LocalStack
import Logging
import Models
import NIOCore
import NIOPosix
import RedisClient
import Testing

@Suite struct RedisEventLogTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// A Redis of its own, and a log on it that may do no more than the services' users together.
  private func withLog(
    limits: LogLimits = LogLimits(), user: RedisServer.User = .admin, memoryBytesMax: Int? = nil, replyBytesMax: Int? = nil,
    _ body: (RedisEventLog, LocalStack) async throws -> Void
  ) async throws {
    var stackConfiguration = LocalStackConfiguration([.redis])
    if let memoryBytesMax { stackConfiguration.redisMemoryBytesMax = memoryBytesMax }
    try await LocalStack.run(stackConfiguration) { stack in
      let redis = try stack.redis
      var configuration = try RedisConfiguration(url: redis.url(user), password: redis.password(user))
      // A machine that runs every test at once may be slow.
      configuration.callTimeout = .seconds(30)
      if let replyBytesMax { configuration.limits.replyBytes = replyBytesMax }
      let log = RedisEventLog(
        configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet, limits: limits)
      try await withThrowingTaskGroup { group in
        group.addTask { try await log.run() }
        try await body(log, stack)
        group.cancelAll()
      }
    }
  }

  private func entry(_ number: Int, appliance: String = "A", type: String = "cooking:error") throws -> LogEntry {
    let event = Event(
      type: try EventType(type), applianceID: try ApplianceID(appliance), timestamp: .now(), data: Array("{\"n\":\(number)}".utf8))
    return LogEntry(.event(event), order: event.timestamp)
  }

  @Test func `The log on Redis keeps the contract`() async throws {
    var limits = LogLimits()
    limits.window = 256
    limits.history = 16
    limits.typesPerAppliance = 8
    limits.openCommandsPerAppliance = 4
    try await withLog(limits: limits) { [limits] log, stack in
      let ear = try await Ear.listening(on: stack.redisConfiguration())
      let contract = EventLogContract(
        log: log, limits: limits, flush: { _ = try await stack.redis.cli("FLUSHALL") },
        published: { try await ear.next($0) })
      try await contract.check()
      await ear.stop()
    }
  }

  @Test func `Each service's user may do what its service does, and no more`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      func log(_ user: RedisServer.User) throws -> RedisEventLog {
        var configuration = try RedisConfiguration(url: redis.url(user), password: redis.password(user))
        configuration.callTimeout = .seconds(30)
        return RedisEventLog(
          configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet)
      }
      let (ingest, persister, gateway) = try (log(.ingest), log(.persister), log(.gateway))
      let appliance = try ApplianceID("A")
      let shard = Bus.shard(of: appliance)
      try await withThrowingTaskGroup { group in
        for log in [ingest, persister, gateway] { group.addTask { try await log.run() } }
        #expect(try await ingest.append([entry(0), entry(1, type: "cooking:progress")]).count == 2)
        _ = try await ingest.usage()
        let page = try await persister.read(shard: shard, after: .zero, limit: 10, wait: .seconds(1))
        #expect(page.records.count == 2)
        try await persister.trim(shard: shard, through: page.lastID)
        #expect(try await gateway.state(of: appliance).count == 2)
        #expect(try await gateway.history(of: appliance, after: .zero).events.count == 1)
        try await gateway.publish([1], to: Bus.canary("test"))
        #expect(try await gateway.append([entry(2)]).count == 1, "commands come from there")
        await #expect(throws: RedisError.self) { try await persister.append([entry(2)]) }
        await #expect(throws: RedisError.self) { try await ingest.trim(shard: shard, through: page.lastID) }
        await #expect(throws: RedisError.self) { try await gateway.trim(shard: shard, through: page.lastID) }
        await #expect(throws: RedisError.self) { try await persister.publish([1], to: Bus.live(appliance)) }
        group.cancelAll()
      }
    }
  }

  @Test func `A batch larger than one call keeps its order`() async throws {
    try await withLog { log, _ in
      let entries = try (0..<3000).map { try entry($0) }
      let ids = try await log.append(entries).map { outcome in
        guard case .appended(let id, _) = outcome else { throw EventLogContract.Unexpected(what: "\(outcome)") }
        return id
      }
      #expect(ids == ids.sorted() && Set(ids).count == entries.count)
    }
  }

  @Test func `Nothing that was appended is lost when Redis is killed`() async throws {
    try await withLog { log, stack in
      let outcomes = try await log.append(try (0..<100).map { try entry($0) })
      try await stack.kill("redis")
      try await stack.start("redis")
      let records = try await log.read(shard: Bus.shard(of: ApplianceID("A")), after: .zero, limit: 1000, wait: .seconds(5)).records
      let replayed = records.map { AppendOutcome.appended($0.id, isLate: false) }
      #expect(replayed.count == 100)
      #expect(replayed == outcomes)
      // The function library is in the append-only file too.
      #expect(try await log.append([entry(100)]).count == 1)
    }
  }

  @Test func `A Redis whose functions were lost gets them again`() async throws {
    try await withLog { log, stack in
      _ = try await log.append([entry(0)])
      _ = try await stack.redis.cli("FUNCTION", "FLUSH")
      #expect(try await log.append([entry(1), entry(2, appliance: "other")]).count == 2)
    }
  }

  @Test func `A call that was given up has no effect when the server comes to it after the next one`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      var configuration = try RedisConfiguration(url: redis.url(.admin), password: redis.password(.admin))
      configuration.callTimeout = .seconds(30)
      func log(_ writer: String) -> RedisEventLog {
        RedisEventLog(
          configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet, writer: writer)
      }
      let (before, after, other) = (log("ingest-1"), log("ingest-1"), log("ingest-2"))
      let wire = RedisClient(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet)
      var redelivered = try entry(1)
      redelivered.fingerprint = Array(repeating: 1, count: 16)
      try await withThrowingTaskGroup { group in
        for log in [before, after, other] { group.addTask { try await log.run() } }
        group.addTask { try await wire.run() }
        _ = try await before.append([entry(0)])
        // What `before` has under way when it is given up, and what the server still gets to see.
        let run = try #require(AppendRun.split([redelivered]).first?.first)
        let abandoned = run.command([redelivered], writer: "ingest-1", generation: 1, limits: LogLimits())
        redelivered.mayBeDuplicate = true
        #expect(try await after.append([redelivered]) != [.duplicate])
        let error = await #expect(throws: RedisError.self) { _ = try await wire.send(abandoned) }
        #expect(error?.code == .server("FENCED"))
        #expect(try await other.append([entry(2)]).count == 1, "each writer has a fence of its own")
        #expect(try await before.append([entry(3)]).count == 1, "a writer that is alive goes on under a new generation")
        #expect(try await after.append([entry(4)]).count == 1)
        let records = try await after.read(shard: redelivered.shard, after: .zero, limit: 100, wait: .zero).records
        let numbers = records.compactMap {
          if case .event(let event) = $0.content { String(decoding: event.data, as: UTF8.self) } else { nil }
        }
        #expect(numbers == [0, 1, 2, 3, 4].map { "{\"n\":\($0)}" })
        group.cancelAll()
      }
    }
  }

  @Test func `Of two processes with one writer's name only the one that claimed it last appends`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let configuration = try stack.redisConfiguration(.admin)
      func process() -> RedisEventLog {
        RedisEventLog(
          configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet, writer: "devices",
          isContended: true)
      }
      let (first, second) = (process(), process())
      try await withThrowingTaskGroup { group in
        for log in [first, second] { group.addTask { try await log.run() } }
        await #expect(throws: RedisError.self, "not claimed yet") { try await first.append([entry(0)]) }
        try await first.claim()
        #expect(try await first.append([entry(1)]).count == 1)
        try await second.claim()
        for _ in 1...2 {
          let error = await #expect(throws: RedisError.self) { try await first.append([entry(2)]) }
          #expect(error?.code == .server("FENCED"))
        }
        #expect(try await second.append([entry(3)]).count == 1)
        try await first.claim()
        #expect(try await first.append([entry(4)]).count == 1)
        let records = try await first.read(shard: entry(0).shard, after: .zero, limit: 100, wait: .zero).records
        let numbers = records.compactMap {
          if case .event(let event) = $0.content { String(decoding: event.data, as: UTF8.self) } else { nil }
        }
        #expect(numbers == [1, 3, 4].map { "{\"n\":\($0)}" })
        group.cancelAll()
      }
    }
  }

  @Test func `A Redis that stalls longer than a call may take gets a repeated batch once`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      var configuration = try RedisConfiguration(url: redis.url(.admin), password: redis.password(.admin))
      configuration.callTimeout = .milliseconds(200)
      let log = RedisEventLog(
        configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet, writer: "ingest-1")
      try await withThrowingTaskGroup { group in
        group.addTask { try await log.run() }
        var number = 0
        for _ in 0..<8 {
          var entries = try (0..<200).map { index in
            var entry = try entry(number + index, appliance: "A\(index % 40)")
            entry.fingerprint = Array("\(number + index)".utf8)
            return entry
          }
          number += entries.count
          try await stack.pause("redis")
          await #expect(throws: RedisError.self) { try await log.append(entries) }
          for index in entries.indices { entries[index].mayBeDuplicate = true }
          await #expect(throws: RedisError.self) { try await log.append(entries) }
          try await stack.resume("redis")
          try await appendUntilTaken(entries, to: log)
        }
        var numbers: [String] = []
        for shard in 0..<Bus.shardCount {
          numbers += try await log.read(shard: shard, after: .zero, limit: 10_000, wait: .seconds(5)).records.compactMap {
            if case .event(let event) = $0.content { String(decoding: event.data, as: UTF8.self) } else { nil }
          }
        }
        #expect(numbers.count == number && Set(numbers).count == number)
        group.cancelAll()
      }
    }
  }

  private func appendUntilTaken(_ entries: [LogEntry], to log: RedisEventLog) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      do {
        _ = try await log.append(entries)
        return
      } catch  where ContinuousClock.now < deadline {}
    }
  }

  @Test func `A full Redis takes nothing in and says so, and nothing of the batch is kept`() async throws {
    try await withLog(memoryBytesMax: 8 << 20) { log, stack in
      let block = String(repeating: "x", count: 60_000)
      var event = try #require(try eventOf(entry(0)))
      event.data = Array("{\"block\":\"\(block)\"}".utf8)
      let entry = LogEntry(.event(event), order: event.timestamp)
      var taken = 0
      let error = await #expect(throws: RedisError.self) {
        for _ in 0..<1000 { taken += try await log.append([entry]).count }
      }
      #expect(error?.isOutOfMemory == true)
      #expect(taken > 0)
      let records = try await log.read(shard: entry.shard, after: .zero, limit: 10_000, wait: .zero).records
      #expect(records.count == taken)
      try await log.trim(shard: entry.shard, through: try #require(records.last?.id))
      #expect(try await log.append([entry]).count == 1, "trimming makes room again")
      let usage = try await log.usage()
      #expect(usage.limit_bytes == 8 << 20 && usage.used_bytes > 0)
    }
  }

  private func eventOf(_ entry: LogEntry) -> Event? {
    if case .event(let event) = entry.content { event } else { nil }
  }

  @Test func `A page too large for one reply is read in smaller ones`() async throws {
    try await withLog(replyBytesMax: 1 << 20) { log, _ in
      var event = try #require(try eventOf(entry(0)))
      event.data = Array("{\"block\":\"\(String(repeating: "x", count: 60_000))\"}".utf8)
      let entry = LogEntry(.event(event), order: event.timestamp)
      for _ in 0..<4 { _ = try await log.append(Array(repeating: entry, count: 10)) }
      var (last, count) = (EventID.zero, 0)
      while count < 40 {
        let records = try await log.read(shard: entry.shard, after: last, limit: 100, wait: .seconds(5)).records
        count += records.count
        last = try #require(records.last?.id)
      }
      #expect(count == 40)
    }
  }

  @Test func `What another program wrote into the stream becomes a dead letter`() async throws {
    try await withLog { log, stack in
      _ = try await stack.redis.cli("XADD", Bus.events(3), "*", "some", "thing")
      let records = try await log.read(shard: 3, after: .zero, limit: 10, wait: .zero).records
      guard case .deadLetter(let letter) = try #require(records.first).content else {
        throw EventLogContract.Unexpected(what: "\(records)")
      }
      #expect(letter.topic == Bus.events(3) && letter.payload == Array("some\0thing".utf8))
    }
  }
}
