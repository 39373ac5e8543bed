import EventLog
import ForwardingLog
import Models
import Synchronization

/// A log in memory whose appends can be made to fail, before or after they took effect, and which can be made full.
final class TroubledLog: ForwardingLog {
  enum Trouble {
    /// Nothing is taken.
    case refusal
    /// Everything is taken, but the caller hears of a failure.
    case lostAnswer
  }

  struct Failure: Error {}

  let forwardsTo = MemoryEventLog()
  private let troubles = Mutex<[Trouble]>([])
  private let usedPercent = Mutex(0)
  /// What the log took in, as it did.
  let appended = AsyncStream.makeStream(of: LogEntry.Content.self)
  /// One for each time that the usage was asked for.
  let usageAsked = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  func plan(_ plan: [Trouble]) { troubles.withLock { $0 = plan } }
  func fill(percent: Int) { usedPercent.withLock { $0 = percent } }

  func append(_ entries: [LogEntry]) async throws -> [AppendOutcome] {
    let trouble: Trouble? = troubles.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    if trouble == .refusal { throw Failure() }
    let outcomes = try await forwardsTo.append(entries)
    for (entry, outcome) in zip(entries, outcomes) where outcome != .duplicate { appended.continuation.yield(entry.content) }
    if trouble == .lostAnswer { throw Failure() }
    return outcomes
  }

  func usage() async throws -> LogUsage {
    defer { usageAsked.continuation.yield() }
    return LogUsage(used_bytes: usedPercent.withLock { $0 }, limit_bytes: 100)
  }

  /// Everything that the log holds, shard by shard.
  func contents() async throws -> [LogEntry.Content] {
    var contents: [LogEntry.Content] = []
    for shard in 0..<Bus.shardCount {
      contents += try await forwardsTo.read(shard: shard, after: .zero, limit: .max, wait: .zero).records.map(\.content)
    }
    return contents
  }
}

/// The next elements of a stream, or an error after a deadline.
func next<Element: Sendable>(_ count: Int, of stream: AsyncStream<Element>, within limit: Duration = .seconds(30)) async throws -> [Element]
{
  try await withThrowingTaskGroup(of: [Element].self) { group in
    defer { group.cancelAll() }
    group.addTask {
      var taken: [Element] = []
      for await element in stream {
        taken.append(element)
        if taken.count == count { break }
      }
      return taken
    }
    group.addTask {
      try await Task.sleep(for: limit)
      throw DeadlinePassed()
    }
    return try await group.next() ?? []
  }
}

struct DeadlinePassed: Error {}
