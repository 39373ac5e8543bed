package import Models
package import ServiceRuntime
import Synchronization

/// How far this replica's shards are, for metrics and readiness.
package final class ShardProgress: Sendable {
  private struct Shard {
    /// When the log took in the oldest record that is not stored; nil when all are.
    var waitingSince: Timestamp?
  }

  private struct State {
    var shards: [Int: Shard] = [:]
    var sessionCount = 0
  }

  private let state = Mutex(State())
  private let consumer: String

  /// - Parameter consumer: names the metrics, and stands in a label.
  package init(consumer: String) { self.consumer = consumer }

  package struct NotConnected: Error, CustomStringConvertible {
    package let description = "No session with PostgreSQL: events stay in the log until there is one"
  }

  /// Throws while no worker has a session.
  package func check() throws {
    guard state.withLock({ $0.sessionCount > 0 }) else { throw NotConnected() }
  }

  func opened() { state.withLock { $0.sessionCount += 1 } }
  func closed() { state.withLock { $0.sessionCount -= 1 } }

  func read(_ shard: Int, first: EventID) {
    state.withLock { $0.shards[shard, default: Shard()].waitingSince = first.receivedAt }
  }

  /// - Parameter hasMore: whether the page was full, so that more is behind it.
  func stored(_ shard: Int, through last: EventID, hasMore: Bool) {
    state.withLock { $0.shards[shard, default: Shard()].waitingSince = hasMore ? last.receivedAt : nil }
  }

  /// These shards are another's now.
  func released(_ shards: Set<Int>) {
    state.withLock { state in for shard in shards { state.shards[shard] = nil } }
  }

  /// The session broke: until somebody stores them again, these shards lag from now on at least.
  func lost(_ shards: Set<Int>, at now: Timestamp) {
    state.withLock { state in
      state.sessionCount -= 1
      for shard in shards { state.shards[shard, default: Shard()].waitingSince = state.shards[shard]?.waitingSince ?? now }
    }
  }

  /// `martlet_<consumer>_lag_seconds`, `…_shards_owned` and `…_sessions`.
  package func samples(now: Timestamp) -> [MetricSample] {
    let (shards, sessionCount) = state.withLock { ($0.shards, $0.sessionCount) }
    let lags = shards.map { number, shard in
      MetricSample(
        "martlet_\(consumer)_lag_seconds", labels: [("consumer", consumer), ("shard", "\(number)")],
        max(0, shard.waitingSince.map { (now - $0) / .seconds(1) } ?? 0))
    }
    return lags + [
      MetricSample("martlet_\(consumer)_shards_owned", Double(shards.count)),
      MetricSample("martlet_\(consumer)_sessions", Double(sessionCount)),
    ]
  }
}
