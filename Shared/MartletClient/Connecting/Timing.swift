/// What the client waits for, by name; one that is set anew ends the one before.
package enum TimerName: Hashable, Sendable {
  /// From an attempt to the server's `connected`.
  case open
  /// Between two pings of ours.
  case ping
  /// For any frame after a ping.
  case pong
  /// Between two rounds of polling.
  case poll
  /// Before the next try when a token could not be renewed just now.
  case renew
  /// Before the next attempt.
  case retry
  /// Before an appliance is subscribed again that could not be just now.
  case subscribe(String)
  /// For a command's outcome.
  case outcome
  /// Between two looks at a command that the server took by the API.
  case look
  /// For the server's word that it took a stop.
  case word
  /// Before the API is asked for a stop again.
  case again
}

/// Time and randomness, in one place so that a test can bring its own.
package struct Timing: Sendable {
  package let sleep: @Sendable (Duration, TimerName) async throws -> Void
  /// Since any moment; never goes back.
  package let now: @Sendable () -> Duration
  /// From 0 to 1.
  package let random: @Sendable () -> Double

  package init(
    sleep: @escaping @Sendable (Duration, TimerName) async throws -> Void, now: @escaping @Sendable () -> Duration,
    random: @escaping @Sendable () -> Double
  ) {
    (self.sleep, self.now, self.random) = (sleep, now, random)
  }

  package static let system: Timing = {
    let start = ContinuousClock.now
    return Timing(
      sleep: { duration, _ in try await Task.sleep(for: duration) }, now: { ContinuousClock.now - start },
      random: { .random(in: 0...1) })
  }()
}
