import EventLog
import LocalStack
import Logging
import Models
import NIOPosix
import RedisClient
import Testing

@Suite struct CommandQueueTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private struct Bench {
    let stack: LocalStack
    let log: RedisEventLog
    let group: MultiThreadedEventLoopGroup
    let configuration: RedisConfiguration

    func queue(_ consumer: String, isUrgent: Bool = false, takeOverAfter: Duration = .seconds(60)) -> CommandQueue {
      CommandQueue(
        configuration: configuration, eventLoopGroup: group, logger: CommandQueueTests.quiet, isUrgent: isUrgent, consumer: consumer,
        takeOverAfter: takeOverAfter)
    }
  }

  private func withQueues(
    on kind: RedisKind, _ make: (Bench) -> [CommandQueue], _ body: (Bench, [CommandQueue]) async throws -> Void
  ) async throws {
    try await LocalStack.run(kind.stack) { stack in
      let configuration = try stack.redisConfiguration(.ingest)
      let log = RedisEventLog(
        configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet, writer: "test")
      let bench = Bench(stack: stack, log: log, group: .singleton, configuration: configuration)
      let queues = make(bench)
      try await withThrowingTaskGroup { group in
        group.addTask { try await log.run() }
        for queue in queues { group.addTask { try await queue.run() } }
        try await body(bench, queues)
        group.cancelAll()
      }
    }
  }

  private func open(_ id: String, _ type: String = "cooking:start", on appliance: String = "A", in log: RedisEventLog) async throws
    -> Command
  {
    let now = Timestamp.now()
    let command = Command(
      id: id, applianceID: try ApplianceID(appliance), type: try EventType(type), issuedAt: now, expiresAt: now + .seconds(10),
      data: Array(#"{"servings":2.50}"#.utf8))
    let request = command.requested(by: "anna", requestID: nil)
    let outcome = try await log.append([LogEntry(.event(request), order: now, step: .open(command))])
    #expect(outcome != [.refused])
    return command
  }

  @Test(arguments: RedisKind.allCases)
  func `A command goes to one consumer, whole, and urgent ones have a queue of their own`(_ kind: RedisKind) async throws {
    try await withQueues(on: kind) {
      [$0.queue("one"), $0.queue("two"), $0.queue("one", isUrgent: true)]
    } _: { bench, queues in
      let normal = try await open("1", in: bench.log)
      let stop = try await open("2", "cooking:stop", in: bench.log)
      let first = try await queues[0].next(limit: 10, wait: .seconds(10))
      #expect(first.map(\.command) == [normal])
      #expect(try await queues[1].next(limit: 10, wait: .milliseconds(50)).isEmpty)
      #expect(try await queues[2].next(limit: 10, wait: .seconds(10)).map(\.command) == [stop])
      try await queues[0].done(first)
      #expect(try await bench.stack.cli("XLEN", Bus.commands(Bus.shard(of: normal.applianceID), isUrgent: false)) == "0")
    }
  }

  @Test(arguments: RedisKind.allCases) func `Whoever waits gets a command at once`(_ kind: RedisKind) async throws {
    try await withQueues(on: kind) {
      [$0.queue("one")]
    } _: { bench, queues in
      async let waiting = queues[0].next(limit: 10, wait: .seconds(30))
      let command = try await open("1", in: bench.log)
      #expect(try await waiting.map(\.command) == [command])
    }
  }

  @Test(arguments: RedisKind.allCases)
  func `What a silent consumer has taken goes to another, what it keeps does not`(_ kind: RedisKind) async throws {
    try await withQueues(on: kind) {
      [$0.queue("one"), $0.queue("two", takeOverAfter: .milliseconds(1))]
    } _: { bench, queues in
      _ = try await queues[1].next(limit: 10, wait: .zero)
      let command = try await open("1", in: bench.log)
      let taken = try await queues[0].next(limit: 10, wait: .seconds(10))
      try await queues[0].keep(taken)
      let deadline = ContinuousClock.now + .seconds(20)
      var takenOver: [QueuedCommand] = []
      while takenOver.isEmpty, ContinuousClock.now < deadline {
        takenOver = try await queues[1].next(limit: 10, wait: .milliseconds(10))
      }
      #expect(takenOver.map(\.command) == [command])
      try await queues[1].done(takenOver)
      #expect(try await queues[1].next(limit: 10, wait: .milliseconds(20)).isEmpty)
    }
    try await withQueues(on: kind) {
      [$0.queue("one"), $0.queue("two", takeOverAfter: .seconds(60))]
    } _: { bench, queues in
      _ = try await open("1", in: bench.log)
      let taken = try await queues[0].next(limit: 10, wait: .seconds(10))
      try await queues[0].keep(taken)
      #expect(try await queues[1].next(limit: 10, wait: .milliseconds(50)).isEmpty)
    }
  }

  @Test(arguments: RedisKind.allCases)
  func `Queues survive the loss of their streams, and what is no command is thrown away`(_ kind: RedisKind) async throws {
    try await withQueues(on: kind) {
      [$0.queue("one")]
    } _: { bench, queues in
      _ = try await queues[0].next(limit: 10, wait: .zero)
      try await bench.stack.flush()
      let shard = Bus.shard(of: try ApplianceID("A"))
      _ = try await bench.stack.cli("XADD", Bus.commands(shard, isUrgent: false), "*", "some", "thing")
      let command = try await open("1", in: bench.log)
      var commands: [Command] = []
      let deadline = ContinuousClock.now + .seconds(20)
      while commands.isEmpty, ContinuousClock.now < deadline {
        commands += try await queues[0].next(limit: 10, wait: .milliseconds(10)).map(\.command)
      }
      #expect(commands == [command])
      #expect(try await bench.stack.cli("XLEN", Bus.commands(shard, isUrgent: false)) == "1")
    }
  }
}
