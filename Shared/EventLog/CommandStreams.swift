internal import Models
internal import RedisClient
internal import Synchronization

/// The queues of some shards, read together by one connection, as one consumer of their group sees them.
final class CommandStreams: Sendable {
  static let group = "ingest"

  /// For this alone: a read that waits holds up what is behind it.
  let reader: RedisClient
  private let streams: [String]
  private let consumer: String
  private let takeOverAfter: Duration
  private struct State {
    var isPrepared = false
    var tookOverAt: ContinuousClock.Instant?
  }
  private let state = Mutex(State())

  init(_ streams: [String], reader: RedisClient, consumer: String, takeOverAfter: Duration) {
    (self.streams, self.reader, self.consumer, self.takeOverAfter) = (streams, reader, consumer, takeOverAfter)
  }

  /// Up to `limit` commands, those of silent replicas first. Waits up to `wait` for one where there are none. Throws `RedisError`.
  func next(limit: Int, wait: Duration) async throws -> [QueuedCommand] {
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
