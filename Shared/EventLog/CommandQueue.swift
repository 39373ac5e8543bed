package import Logging
package import Models
package import NIOCore
package import RedisClient
internal import ServiceLifecycle
internal import Synchronization

/// A command on its way to its device.
package struct QueuedCommand: Hashable, Sendable {
  package let command: Command
  /// Whether nobody has had it in hand before.
  package let isNew: Bool
  /// Its place in the queue of its shard.
  let place: EventID
}

/// Commands on their way to devices, urgent ones or all others, as one of the replicas sees them that share the work: each command goes to one of them.
///
/// A command stays with the replica that took it as long as that says so (`keep`); from one that is silent another takes it over. So a command is handed out again only
/// after a crash or a stall. A service of its own, with two connections of its own: a waiting read holds up all calls that are behind it, and no command is to wait for the word on another.
package final class CommandQueue: Service {
  private static let group = "ingest"

  private let reader: RedisClient
  private let teller: RedisClient
  private let streams: [String]
  private let consumer: String
  private let takeOverAfter: Duration
  private struct State {
    var isPrepared = false
    var tookOverAt: ContinuousClock.Instant?
  }
  private let state = Mutex(State())

  /// `consumer` names this replica among those that share the work. What another consumer has taken and not kept for `takeOverAfter` is taken over.
  package init(
    configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger, isUrgent: Bool, consumer: String,
    takeOverAfter: Duration = .seconds(3)
  ) {
    reader = RedisClient(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger)
    teller = RedisClient(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger)
    streams = (0..<Bus.shardCount).map { Bus.commands($0, isUrgent: isUrgent) }
    self.consumer = consumer
    self.takeOverAfter = takeOverAfter
  }

  package func run() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      group.addTask { try await self.reader.run() }
      group.addTask { try await self.teller.run() }
    }
  }

  /// Up to `limit` commands, those of silent replicas first. Waits up to `wait` for one where there are none. Throws `RedisError`.
  package func next(limit: Int, wait: Duration) async throws -> [QueuedCommand] {
    do {
      try await prepare()
      let abandoned = try await takeOver(limit: limit)
      return abandoned.isEmpty ? try await read(limit: limit, wait: wait) : abandoned
    } catch let error as RedisError where error.code == .server("NOGROUP") {
      // The streams were lost, and their groups with them.
      state.withLock { $0.isPrepared = false }
      return []
    }
  }

  /// These are still being worked on.
  package func keep(_ commands: [QueuedCommand]) async throws {
    try await perShard(commands) { stream, places in
      var claim = RedisCommand("XCLAIM", stream, Self.group, consumer, 0)
      for place in places { claim.append(place) }
      claim.append("JUSTID")
      return [claim]
    }
  }

  /// These need no more work.
  package func done(_ commands: [QueuedCommand]) async throws {
    try await perShard(commands) { stream, places in
      var (acknowledge, delete) = (RedisCommand("XACK", stream, Self.group), RedisCommand("XDEL", stream))
      for place in places {
        acknowledge.append(place)
        delete.append(place)
      }
      return [acknowledge, delete]
    }
  }

  private func perShard(_ commands: [QueuedCommand], _ calls: (_ stream: String, _ places: [String]) -> [RedisCommand]) async throws {
    let shards = Dictionary(grouping: commands) { Bus.shard(of: $0.command.applianceID) }
    let replies = try await teller.pipeline(shards.flatMap { calls(streams[$0], $1.map(\.place.description)) })
    for reply in replies { _ = try reply.get() }
  }

  private func prepare() async throws {
    guard !state.withLock({ $0.isPrepared }) else { return }
    let replies = try await reader.pipeline(streams.map { RedisCommand("XGROUP", "CREATE", $0, Self.group, "0", "MKSTREAM") })
    for case .failure(let error) in replies where error.code != .server("BUSYGROUP") { throw error }
    state.withLock { $0.isPrepared = true }
  }

  private func read(limit: Int, wait: Duration) async throws -> [QueuedCommand] {
    var read = RedisCommand("XREADGROUP", "GROUP", Self.group, consumer, "COUNT", limit)
    if wait > .zero {
      read.append("BLOCK")
      read.append(max(1, Int(wait / .milliseconds(1))))
    }
    read.append("STREAMS")
    for stream in streams { read.append(stream) }
    for _ in streams { read.append(">") }
    let reply = try await reader.send(read, timeout: wait + reader.configuration.callTimeout)
    var commands: [QueuedCommand] = []
    for part in reply.array ?? [] {
      guard let pair = part.array, pair.count == 2, let stream = pair[0].text else { throw RedisEventLog.unexpected("XREADGROUP") }
      commands += try await self.commands(LogReply.entries(pair[1]), in: stream, isNew: true)
    }
    return commands
  }

  /// What consumers that are silent have left, asked for at most three times in `takeOverAfter`.
  private func takeOver(limit: Int) async throws -> [QueuedCommand] {
    let isDue = state.withLock { state in
      let now = ContinuousClock.now
      if let last = state.tookOverAt, last.duration(to: now) < takeOverAfter / 3 { return false }
      state.tookOverAt = now
      return true
    }
    guard isDue else { return [] }
    let idle_ms = Int(takeOverAfter / .milliseconds(1))
    let replies = try await reader.pipeline(
      streams.map { RedisCommand("XAUTOCLAIM", $0, Self.group, consumer, idle_ms, "0", "COUNT", limit) })
    var commands: [QueuedCommand] = []
    for (stream, reply) in zip(streams, replies) {
      guard let parts = try reply.get().array, parts.count >= 2 else { throw RedisEventLog.unexpected("XAUTOCLAIM") }
      commands += try await self.commands(LogReply.entries(parts[1]), in: stream, isNew: false)
    }
    return commands
  }

  /// The commands of a stream's entries. What is none was not written by us, and is thrown away.
  private func commands(_ entries: [LogReply.Entry], in stream: String, isNew: Bool) async throws -> [QueuedCommand] {
    var commands: [QueuedCommand] = []
    for entry in entries {
      if let command = entry["e"].flatMap({ try? Event(parsing: $0) }).flatMap(Command.init(requestedBy:)) {
        commands.append(QueuedCommand(command: command, isNew: isNew, place: entry.id))
      } else {
        let replies = try await reader.pipeline([
          RedisCommand("XACK", stream, Self.group, entry.id.description), RedisCommand("XDEL", stream, entry.id.description),
        ])
        for reply in replies { _ = try reply.get() }
      }
    }
    return commands
  }
}
