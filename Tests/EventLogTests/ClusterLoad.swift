import EventLog
import LocalStack
import Logging
import Models
import NIOPosix
import RedisClient
import Testing

/// Numbered events of some appliances, appended in batches as `ingest` does: a batch that was not acknowledged is brought again, marked as such, before the next.
struct ClusterLoad: Sendable {
  let appliances: [String]

  init(appliances: [String]) throws { self.appliances = appliances }

  func entry(_ appliance: String, _ number: Int) throws -> LogEntry {
    let event = Event(
      type: try EventType(number % 2 == 0 ? "cooking:error" : "cooking:progress"), applianceID: try ApplianceID(appliance),
      timestamp: .now(), data: Array("{\"n\":\(number)}".utf8))
    return LogEntry(.event(event), fingerprint: LogEntry.fingerprint("load", Array("\(appliance) \(number)".utf8)), order: event.timestamp)
  }

  /// Appends these numbers of every appliance, ten at a time. `acknowledged` is told the last number that is in.
  func append(_ numbers: Range<Int>, to log: RedisEventLog, acknowledged: (Int) -> Void = { _ in }) async throws {
    for start in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 10) {
      let batch = try (start..<min(start + 10, numbers.upperBound)).flatMap { number in try appliances.map { try entry($0, number) } }
      _ = try await untilTaken(batch, by: log)
      acknowledged(min(start + 10, numbers.upperBound) - 1)
    }
  }

  func untilTaken(_ entries: [LogEntry], by log: RedisEventLog) async throws -> [AppendOutcome] {
    var entries = entries
    let deadline = ContinuousClock.now + .seconds(90)
    while true {
      do { return try await log.append(entries) } catch  where ContinuousClock.now < deadline {
        for index in entries.indices { entries[index].mayBeDuplicate = true }
      }
    }
  }

  /// Each number from 0 on is in the log once, and in order.
  func expectAll(_ count: Int, in log: RedisEventLog) async throws {
    for name in appliances {
      let appliance = try ApplianceID(name)
      let page = try await log.read(shard: Bus.shard(of: appliance), after: .zero, limit: 100_000, wait: .zero)
      let stored = page.records.compactMap { record -> String? in
        guard case .event(let event) = record.content, event.applianceID == appliance else { return nil }
        return String(decoding: event.data, as: UTF8.self)
      }
      #expect(stored == (0..<count).map { "{\"n\":\($0)}" }, "\(name): \(stored.count) of \(count)")
      #expect(page.records.map(\.id) == page.records.map(\.id).sorted())
    }
  }
}

/// Moves the slot of an appliance's shard from its master to another, step by step, as `redis-cli --cluster reshard` does.
struct SlotMove: Sendable {
  private let slot: Int
  private let cluster: RedisClusterServers
  private let source: RedisClusterServers.Member
  private let target: RedisClusterServers.Member

  init(of appliance: ApplianceID, on stack: LocalStack) async throws {
    cluster = try stack.redisCluster
    slot = try #require(RedisKind.slots[Bus.shard(of: appliance)])
    source = try await cluster.master(of: slot)
    let from = source.name
    target = try #require(try await cluster.members().first { $0.isMaster && $0.name != from })
  }

  private func at(_ member: RedisClusterServers.Member, _ commands: RedisCommand...) async throws -> [RESPValue] {
    let node = try cluster.node(member.name)
    let client = RedisClient(
      configuration: try RedisConfiguration(url: node.url(.admin), password: node.password(.admin)),
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await client.run() }
      defer { group.cancelAll() }
      return try await client.pipeline(commands, timeout: .seconds(20)).map { try $0.get() }
    }
  }

  func begin() async throws {
    _ = try await at(target, RedisCommand("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id))
    _ = try await at(source, RedisCommand("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id))
  }

  func take(_ keys: [String]) async throws {
    let node = try cluster.node(target.name)
    var migrate = RedisCommand("MIGRATE", node.host, node.port, "", 0, 10_000, "AUTH2", "admin", node.password(.admin), "KEYS")
    for key in keys { migrate.append(key) }
    _ = try await at(source, migrate)
  }

  func takeAll() async throws {
    while true {
      let keys = try await at(source, RedisCommand("CLUSTER", "GETKEYSINSLOT", slot, 3))[0].array?.compactMap(\.text) ?? []
      if keys.isEmpty { return }
      try await take(keys)
    }
  }

  func finish() async throws {
    for member in [target, source] { _ = try await at(member, RedisCommand("CLUSTER", "SETSLOT", slot, "NODE", target.id)) }
  }
}

extension RedisKind {
  /// The slot of each shard: CRC-16 of its number, as `CLUSTER KEYSLOT {0}` and so on answer.
  static let slots: [Int: Int] = Dictionary(
    uniqueKeysWithValues: zip(
      0..., [13_907, 9842, 5649, 1584, 14_039, 9974, 5781, 1716, 14_171, 10_106, 247, 4310, 8373, 12_436, 115, 4178]))
}

extension LocalStack {
  /// The name of the node that replicates a shard's master.
  func replica(of shard: Int) async throws -> String {
    let master = try await redisCluster.master(of: try #require(RedisKind.slots[shard]))
    return try #require(try await redisCluster.members().first { $0.masterID == master.id }).name
  }
}
