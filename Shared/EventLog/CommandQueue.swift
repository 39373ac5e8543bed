package import Logging
package import Models
package import NIOCore
package import RedisClient
internal import ServiceLifecycle

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
/// after a crash or a stall. A service of its own, with connections of its own: a waiting read holds up all calls that are behind it, and no command is to wait for the word on another.
package final class CommandQueue: Service {
  private enum Source {
    case server(CommandStreams)
    case cluster(ShardedCommands)
  }

  private let source: Source
  private let teller: RedisClient
  private let streams: [String]
  private let consumer: String

  /// `consumer` names this replica among those that share the work. What another consumer has taken and not kept for `takeOverAfter` is taken over.
  package init(
    configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger, isUrgent: Bool, consumer: String,
    takeOverAfter: Duration = .seconds(3)
  ) {
    func client() -> RedisClient { RedisClient(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger) }
    func queues(_ streams: [String]) -> CommandStreams {
      CommandStreams(streams, reader: client(), consumer: consumer, takeOverAfter: takeOverAfter)
    }
    streams = (0..<Bus.shardCount).map { Bus.commands($0, isUrgent: isUrgent) }
    teller = client()
    self.consumer = consumer
    // One command can read the streams of one slot only.
    source =
      configuration.isCluster
      ? .cluster(ShardedCommands(streams.map { queues([$0]) }, freshFor: max(takeOverAfter / 3, .milliseconds(250))))
      : .server(queues(streams))
  }

  package func run() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      switch source {
      case .server(let streams): group.addTask { try await streams.reader.run() }
      case .cluster(let shards): group.addTask { try await shards.run() }
      }
      group.addTask { try await self.teller.run() }
    }
  }

  /// Up to `limit` commands, those of silent replicas first. Waits up to `wait` for one where there are none. Throws `RedisError`.
  package func next(limit: Int, wait: Duration) async throws -> [QueuedCommand] {
    switch source {
    case .server(let streams): try await streams.next(limit: limit, wait: wait)
    case .cluster(let shards): try await shards.next(limit: limit, wait: wait)
    }
  }

  /// These are still being worked on.
  package func keep(_ commands: [QueuedCommand]) async throws {
    try await perShard(commands) { stream, places in
      var claim = RedisCommand("XCLAIM", stream, CommandStreams.group, consumer, 0)
      for place in places { claim.append(place) }
      claim.append("JUSTID")
      return [claim]
    }
  }

  /// These need no more work.
  package func done(_ commands: [QueuedCommand]) async throws {
    try await perShard(commands) { stream, places in
      var (acknowledge, delete) = (RedisCommand("XACK", stream, CommandStreams.group), RedisCommand("XDEL", stream))
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
}
