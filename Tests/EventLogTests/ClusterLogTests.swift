import LocalStack
import Logging
import Models
import NIOCore
import NIOPosix
import RedisClient
import Testing

@testable import EventLog

/// The log on a cluster of three masters with a replica each.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClusterLogTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func withLog(
    limits: LogLimits = LogLimits(), callTimeout: Duration = .seconds(2), user: RedisServer.User = .admin,
    _ body: (RedisEventLog, LocalStack) async throws -> Void
  ) async throws {
    try await LocalStack.run(RedisKind.cluster.stack) { stack in
      let log = RedisEventLog(
        configuration: try stack.redisConfiguration(user, callTimeout: callTimeout),
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet, writer: "test", limits: limits)
      try await withThrowingTaskGroup { group in
        group.addTask { try await log.run() }
        try await body(log, stack)
        group.cancelAll()
      }
    }
  }

  @Test func `The log on a cluster keeps the contract`() async throws {
    var limits = LogLimits()
    limits.window = 256
    limits.history = 16
    limits.typesPerAppliance = 8
    limits.openCommandsPerAppliance = 4
    try await withLog(limits: limits, callTimeout: .seconds(30)) { [limits] log, stack in
      let ear = try await Ear.listening(on: stack.redisConfiguration())
      let contract = EventLogContract(
        log: log, limits: limits, flush: { try await stack.flush() }, published: { try await ear.next($0) })
      try await contract.check()
      await ear.stop()
    }
  }

  @Test func `What no replica has is neither acknowledged nor told to a reader, and its redelivery is known`() async throws {
    try await withLog(callTimeout: .seconds(4), user: .ingest) { log, stack in
      // None is to be taken for failed while it is halted.
      for node in try stack.redisCluster.nodes { _ = try await node.cli("CONFIG", "SET", "cluster-node-timeout", "60000") }
      let load = try ClusterLoad(appliances: ["A"])
      try await load.append(0..<1, to: log)
      let shard = Bus.shard(of: try ApplianceID("A"))
      let first = try await reader(stack) { try await $0.read(shard: shard, after: .zero, limit: 10, wait: .seconds(1)) }
      #expect(first.records.count == 1)

      let replica = try await stack.replica(of: shard)
      try await stack.pause(replica)
      let refusal = await #expect(throws: RedisError.self) { _ = try await log.append([load.entry("A", 1)]) }
      #expect(refusal?.code == .notReplicated)
      let unread = await #expect(throws: RedisError.self) {
        _ = try await reader(stack) { try await $0.read(shard: shard, after: first.lastID, limit: 10, wait: .seconds(1)) }
      }
      #expect(unread?.code == .notReplicated)
      try await stack.resume(replica)

      var again = try load.entry("A", 1)
      again.mayBeDuplicate = true
      #expect(try await load.untilTaken([again], by: log) == [.duplicate])
      let second = try await reader(stack) { try await $0.read(shard: shard, after: first.lastID, limit: 10, wait: .seconds(1)) }
      #expect(second.records.count == 1)
    }
  }

  /// Reads as the persister, who has connections of his own.
  private func reader<Value: Sendable>(_ stack: LocalStack, _ body: (RedisEventLog) async throws -> Value) async throws -> Value {
    let log = RedisEventLog(
      configuration: try stack.redisConfiguration(.persister, callTimeout: .seconds(4)),
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await log.run() }
      defer { group.cancelAll() }
      return try await body(log)
    }
  }

  @Test func `A slot moves to another node under load, and every event is there once and in order`() async throws {
    try await withLog { log, stack in
      let load = try ClusterLoad(appliances: ["A", "B"])
      try await load.append(0..<100, to: log)
      let appliance = try ApplianceID("A")
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await load.append(100..<400, to: log) }
        let move = try await SlotMove(of: appliance, on: stack)
        try await move.begin()
        try await move.take([Bus.history(appliance)])
        // Its key is at the other node, its slot is not yet: the node that is asked first says ASK.
        #expect(try await !log.history(of: appliance, after: .zero).events.isEmpty)
        try await move.takeAll()
        try await move.finish()
        #expect(try await !log.state(of: appliance).isEmpty, "from here on the old node says MOVED")
        try await group.waitForAll()
      }
      try await load.expectAll(400, in: log)
    }
  }

  enum Trouble: CaseIterable { case kill, halt }

  /// A master that is halted finds in its sockets, when it goes on, what was given up and has been brought to its heir.
  @Test(arguments: Trouble.allCases)
  func `A master is killed, or halted, under load, and every acknowledged event is there once and in order`(_ trouble: Trouble) async throws
  {
    try await withLog { log, stack in
      let load = try ClusterLoad(appliances: (0..<8).map { "A\($0)" })
      let shard = Bus.shard(of: try ApplianceID("A0"))
      let cluster = try stack.redisCluster
      let victim = try await cluster.master(of: try #require(RedisKind.slots[shard]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        let (progress, tell) = AsyncStream.makeStream(of: Int.self)
        group.addTask { try await load.append(0..<1000, to: log) { tell.yield($0) } }
        _ = await progress.first { $0 >= 200 }
        switch trouble {
        case .kill: try await stack.kill(victim.name)
        case .halt: try await stack.pause(victim.name)
        }
        try await group.waitForAll()
      }
      try await load.expectAll(1000, in: log)
      if trouble == .halt { try await stack.resume(victim.name) }
      // It comes back as a replica of who took its place.
      if trouble == .kill { try await stack.start(victim.name) }
      try await cluster.waitUntilWhole()
      let heir = try await cluster.master(of: try #require(RedisKind.slots[shard]))
      #expect(heir.name != victim.name && heir.masterID == nil)
      #expect(try await cluster.members().first { $0.name == victim.name }?.masterID == heir.id)
      try await load.append(1000..<1010, to: log)
      try await load.expectAll(1010, in: log)
    }
  }
}
