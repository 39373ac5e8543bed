internal import Models
internal import RedisClient
internal import ServiceLifecycle
internal import Synchronization

/// The queues on a cluster: each shard is read by itself, so that one whose server is away holds up no other.
///
/// Nothing is read that nobody asks for. A read goes on when another shard's has brought something; what it brings then is for the next who asks.
final class ShardedCommands: Service {
  private struct Read: Sendable {
    let shard: Int
    let limit: Int
    let wait: Duration
  }

  private struct State {
    var inbox: CommandInbox
    var bell: AsyncStream<Void>.Continuation?
  }

  /// What a read takes longer than it waits.
  private static let way = Duration.milliseconds(250)

  private let shards: [CommandStreams]
  private let state: Mutex<State>
  private let reads: AsyncStream<Read>
  private let startRead: AsyncStream<Read>.Continuation

  init(_ shards: [CommandStreams], freshFor: Duration) {
    self.shards = shards
    state = Mutex(State(inbox: CommandInbox(freshFor: freshFor)))
    // One for each shard at most.
    (reads, startRead) = AsyncStream.makeStream(of: Read.self, bufferingPolicy: .bufferingOldest(shards.count))
  }

  func run() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      for shard in shards { group.addTask { try await shard.reader.run() } }
      for await read in reads.cancelOnGracefulShutdown() { group.addTask { await self.perform(read) } }
    }
  }

  private func perform(_ read: Read) async {
    let outcome: Result<[QueuedCommand], any Error>
    do {
      outcome = .success(try await shards[read.shard].next(limit: read.limit, wait: read.wait))
    } catch {
      outcome = .failure(error)
    }
    state.withLock { if $0.inbox.finish(read.shard, outcome, at: .now) { $0.bell?.yield() } }
  }

  /// See `CommandQueue.next`; for one caller at a time. Throws only when no shard can be read.
  func next(limit: Int, wait: Duration) async throws -> [QueuedCommand] {
    let (arrivals, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
    let (lying, idle) = state.withLock { state -> ([QueuedCommand], [Int]) in
      let lying = state.inbox.take(limit, at: .now)
      guard lying.isEmpty else { return (lying, []) }
      state.bell = bell
      return (lying, state.inbox.begin(shards.indices))
    }
    guard lying.isEmpty else { return lying }
    for shard in idle { startRead.yield(Read(shard: shard, limit: max(1, limit / shards.count), wait: wait)) }
    await Self.wait(wait + Self.way, for: arrivals)
    return try state.withLock { state in
      let commands = state.inbox.take(limit, at: .now)
      if commands.isEmpty, let failure = state.inbox.failure(of: shards.count) { throw failure }
      return commands
    }
  }

  private static func wait(_ time: Duration, for arrivals: AsyncStream<Void>) async {
    await withTaskGroup { group in
      group.addTask { _ = await arrivals.first { _ in true } }
      group.addTask { try? await Task.sleep(for: time) }
      _ = await group.next()
      group.cancelAll()
    }
  }
}
