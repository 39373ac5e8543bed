internal import Models
internal import Synchronization

/// Redis' clock, as far as this replica knows it: so that the deadlines of a session mean the same on every replica.
final class ServerClock: Sendable {
  private let offset = Mutex(Duration.zero)

  func now() -> Timestamp { .now() + offset.withLock { $0 } }

  /// Redis' clock shows `moment` now.
  func set(_ moment: Timestamp) { offset.withLock { $0 = moment - .now() } }
}
