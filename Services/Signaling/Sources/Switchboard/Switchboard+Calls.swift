internal import Models
internal import RedisClient
internal import Store

/// Calls of the server-side functions, which are put on the server where they are missing.
extension Switchboard {
  func functionCall(_ name: SwitchboardFunctions.Name, _ keys: [String]) -> RedisCommand {
    var command = RedisCommand("FCALL", SwitchboardFunctions.name(name), keys.count)
    for key in keys { command.append(key) }
    return command
  }

  func call(_ name: SwitchboardFunctions.Name, _ keys: [String], _ arguments: [String]) async throws -> RESPValue {
    var command = functionCall(name, keys)
    for argument in arguments { command.append(argument) }
    return try await send(command)
  }

  func send(_ command: RedisCommand) async throws -> RESPValue {
    guard let reply = try await pipeline([command]).first else { throw Self.unexpected }
    return reply
  }

  func pipeline(_ commands: [RedisCommand]) async throws -> [RESPValue] {
    var replies = try await redis.pipeline(commands)
    let missing = replies.indices.filter { Self.isFunctionMissing(replies[$0]) }
    if !missing.isEmpty {
      try await redis.loadFunctions(SwitchboardFunctions.source)
      // These had no effect.
      for (index, reply) in zip(missing, try await redis.pipeline(missing.map { commands[$0] })) { replies[index] = reply }
    }
    return try replies.map { try $0.get() }
  }

  private static func isFunctionMissing(_ reply: Result<RESPValue, RedisError>) -> Bool {
    if case .failure(let error) = reply { error.code == .server("ERR") && error.message.contains("Function not found") } else { false }
  }

  // MARK: Replicas

  struct Beat: Sendable {
    enum Role: String, Sendable { case caretaker, alive, lapsed }
    let role: Role
    /// Redis' clock.
    let now: Timestamp
    let dead: [String]
  }

  func beat(_ replica: String, isNew: Bool) async throws -> Beat {
    let reply = try await call(
      .beat, [Bus.signalReplicas, Bus.signalCaretaker],
      [replica, isNew ? "new" : "", limits.lease.inMilliseconds, limits.caretakerLease.inMilliseconds])
    _ = try await redis.send(keepPlace(replica))
    let texts = try Self.texts(reply)
    guard texts.count >= 2, let role = Beat.Role(rawValue: texts[0]), let now = Int64(texts[1]) else { throw Self.unexpected }
    return Beat(role: role, now: Timestamp(microseconds: now), dead: Array(texts.dropFirst(2)))
  }

  /// The replica is going: whoever takes care may take over at once.
  func leave(_ replica: String) async throws {
    _ = try await redis.send(RedisCommand("ZADD", Bus.signalReplicas, "XX", 0, replica))
  }

  /// The dead replica is dealt with.
  func bury(_ replica: String) async throws {
    let replies = try await redis.pipeline([
      RedisCommand("DEL", Bus.signalPlace(replica)), RedisCommand("ZREM", Bus.signalReplicas, replica),
    ])
    for reply in replies { _ = try reply.get() }
  }

  /// What a replica holds, for the one who takes care when it dies. Each connection notes it before it holds it, and takes its own note back after:
  /// an end that comes back to the same replica is held by two for a while.
  enum Holding: Hashable, Sendable {
    case device(ApplianceID)
    case viewer(WatchID)

    /// On Redis: a letter for its kind, its name, a space, the connection's number.
    func text(of connection: UInt64) -> String {
      switch self {
      case .device(let device): "d:\(device) \(connection)"
      case .viewer(let watch): "v:\(watch) \(connection)"
      }
    }

    init?(_ text: String) {
      let name = String(text.dropFirst(2).prefix { $0 != " " })
      if text.hasPrefix("d:"), let device = try? ApplianceID(name) {
        self = .device(device)
      } else if text.hasPrefix("v:"), let watch = WatchID(name) {
        self = .viewer(watch)
      } else {
        return nil
      }
    }
  }

  func note(_ holding: Holding, at seat: WatchSession.Seat) async throws {
    let text = holding.text(of: seat.connection)
    _ = try await pipeline([RedisCommand("SADD", Bus.signalPlace(seat.replica), text), keepPlace(seat.replica)])
  }

  /// Should nobody be left to bury it, the place goes after a day.
  private func keepPlace(_ replica: String) -> RedisCommand { RedisCommand("PEXPIRE", Bus.signalPlace(replica), 86_400_000) }

  func takeBack(_ holding: Holding, at seat: WatchSession.Seat) async throws {
    _ = try await redis.send(RedisCommand("SREM", Bus.signalPlace(seat.replica), holding.text(of: seat.connection)))
  }

  func holdings(of replica: String) async throws -> Set<Holding> {
    let reply = try await redis.send(RedisCommand("SMEMBERS", Bus.signalPlace(replica)))
    return Set(try Self.texts(reply).compactMap(Holding.init))
  }

  // MARK: Records

  /// Up to `limit` records of each shard, the oldest first, with their place in the stream.
  func records(limit: Int) async throws -> [(shard: Int, id: String, record: WatchRecord?)] {
    let commands = (0..<Bus.shardCount).map { RedisCommand("XRANGE", Bus.signalRecords($0), "-", "+", "COUNT", limit) }
    var found: [(shard: Int, id: String, record: WatchRecord?)] = []
    for (shard, reply) in try await pipeline(commands).enumerated() {
      for entry in reply.array ?? [] {
        guard let parts = entry.array, parts.count == 2, let id = parts[0].text, let fields = parts[1].array else { throw Self.unexpected }
        found.append((shard, id, fields.last?.bytes.flatMap { WatchRecord(parsing: $0) }))
      }
    }
    return found
  }

  func dropRecords(_ ids: [String], shard: Int) async throws {
    guard !ids.isEmpty else { return }
    var command = RedisCommand("XDEL", Bus.signalRecords(shard))
    for id in ids { command.append(id) }
    _ = try await redis.send(command)
  }
}
