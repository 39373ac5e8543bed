package import Logging
package import Models
package import NIOCore
package import RedisClient
internal import ServiceLifecycle

/// Until when each appliance is taken to be there that says nothing when it leaves, and which gateway's connection it hears its commands by, as all replicas know it.
///
/// A service of its own, with a connection of its own: it must not wait behind appends.
package final class PresenceBoard: Service {
  /// Appliances of one round trip.
  private static let chunk = 512
  private let client: RedisClient

  package init(configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger) {
    client = RedisClient(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger)
  }

  package func run() async throws { try await client.run() }

  /// Puts the deadlines off; one that is later already stays. Throws `RedisError`.
  ///
  /// - Returns: what was last told of each appliance's status, of those of which something was.
  package func postpone(_ deadlines: [ApplianceID: Timestamp]) async throws -> [ApplianceID: Event] {
    var told: [ApplianceID: Event] = [:]
    let appliances = Array(deadlines)
    for start in stride(from: 0, to: appliances.count, by: Self.chunk) {
      let chunk = appliances[start..<min(start + Self.chunk, appliances.count)]
      let calls = chunk.map { appliance, deadline in
        RedisCommand("ZADD", Bus.presence(Bus.shard(of: appliance)), "GT", deadline.microseconds, appliance.rawValue)
      }
      let replies = try await client.pipeline(calls + chunk.map { Self.lastStatus(of: $0.key) })
      for reply in replies.prefix(chunk.count) { _ = try reply.get() }
      for (appliance, reply) in zip(chunk, replies.dropFirst(chunk.count)) { told[appliance.key] = try Self.event(reply.get()) }
    }
    return told
  }

  /// Up to `limit` appliances of each shard whose deadline has passed, with what was last told of their status. Throws `RedisError`.
  package func overdue(now: Timestamp, limit: Int) async throws -> [(appliance: ApplianceID, told: Event?)] {
    let shards = try await client.pipeline(
      (0..<Bus.shardCount).map { RedisCommand("ZRANGEBYSCORE", Bus.presence($0), "-inf", now.microseconds, "LIMIT", 0, limit) })
    let appliances = try shards.flatMap { try ($0.get().array ?? []).compactMap { $0.text.flatMap { try? ApplianceID($0) } } }
    let replies = try await client.pipeline(appliances.map { Self.lastStatus(of: $0) })
    return try zip(appliances, replies).map { ($0, try Self.event($1.get())) }
  }

  /// Nothing is expected of these any more, until they are postponed again. Throws `RedisError`.
  package func forget(_ appliances: [ApplianceID]) async throws {
    let replies = try await client.pipeline(
      appliances.map { RedisCommand("ZREM", Bus.presence(Bus.shard(of: $0)), $0.rawValue) })
    for reply in replies { _ = try reply.get() }
  }

  // MARK: Connections

  /// An appliance hears its commands by this connection from now on, whichever it had before, for `lifetime` or until `keep`. Throws `RedisError`.
  package func attach(_ appliance: ApplianceID, to connection: String, for lifetime: Duration) async throws {
    _ = try await client.send(RedisCommand("SET", Bus.attachment(appliance), connection, "PX", Int(lifetime / .milliseconds(1))))
  }

  /// It still does. Answers false where another connection has taken it. Throws `RedisError`.
  package func keep(_ appliance: ApplianceID, on connection: String, for lifetime: Duration) async throws -> Bool {
    switch try await client.send(RedisCommand("GET", Bus.attachment(appliance))).text {
    case connection:
      _ = try await client.send(RedisCommand("PEXPIRE", Bus.attachment(appliance), Int(lifetime / .milliseconds(1))))
      return true
    case nil:
      try await attach(appliance, to: connection, for: lifetime)
      return true
    default: return false
    }
  }

  /// The connection has ended. Answers whether the appliance has no other, and what was last told of its status. Throws `RedisError`.
  package func detach(_ appliance: ApplianceID, from connection: String) async throws -> (hasNone: Bool, told: Event?) {
    let replies = try await client.pipeline([RedisCommand("GET", Bus.attachment(appliance)), Self.lastStatus(of: appliance)])
    let holder = try replies[0].get().text
    if holder == connection { _ = try await client.send(RedisCommand("DEL", Bus.attachment(appliance))) }
    return (holder == nil || holder == connection, try Self.event(replies[1].get()))
  }

  /// Whether a gateway has a connection by which the appliance hears its commands. Throws `RedisError`.
  package func isAttached(_ appliance: ApplianceID) async throws -> Bool {
    try await client.send(RedisCommand("EXISTS", Bus.attachment(appliance))).integer == 1
  }

  private static func lastStatus(of appliance: ApplianceID) -> RedisCommand {
    RedisCommand("HGET", Bus.state(appliance), "m:\(EventType.applianceStatus)")
  }

  private static func event(_ reply: RESPValue) -> Event? { reply.bytes.flatMap { try? Event(parsing: $0) } }
}
