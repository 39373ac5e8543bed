internal import Models

/// What the readers of the shards have brought and nobody has taken yet, and which of them are at it. Pure.
struct CommandInbox {
  private let freshFor: Duration
  private var arrived: [(command: QueuedCommand, at: ContinuousClock.Instant)] = []
  private var reading: Set<Int> = []
  /// Why the last read of a shard failed.
  private var failures: [Int: any Error] = [:]

  /// - Parameter freshFor: how long a command may lie here; after that it is left to be taken over, because another replica may have done that already.
  init(freshFor: Duration) { self.freshFor = freshFor }

  /// Up to `limit` commands, in the order of their arrival.
  mutating func take(_ limit: Int, at now: ContinuousClock.Instant) -> [QueuedCommand] {
    arrived.removeAll { $0.at.duration(to: now) >= freshFor }
    let taken = arrived.prefix(limit).map(\.command)
    arrived.removeFirst(taken.count)
    return taken
  }

  /// The shards that nobody reads; from now on somebody does.
  mutating func begin(_ shards: Range<Int>) -> [Int] {
    let idle = shards.filter { !reading.contains($0) }
    reading.formUnion(idle)
    return idle
  }

  /// A read is over. Answers whether there is nothing more to wait for: something can be taken, or all reads are over.
  mutating func finish(_ shard: Int, _ outcome: Result<[QueuedCommand], any Error>, at now: ContinuousClock.Instant) -> Bool {
    reading.remove(shard)
    switch outcome {
    case .success(let commands):
      failures[shard] = nil
      arrived += commands.map { ($0, now) }
    case .failure(let error):
      failures[shard] = error
    }
    return !arrived.isEmpty || reading.isEmpty
  }

  /// Why nothing comes at all; nil as long as some shard can be read.
  func failure(of shardCount: Int) -> (any Error)? { failures.count == shardCount ? failures.values.first : nil }
}
