/// How long to wait before trying again: exponential, with full jitter, so that many who failed together do not come back together.
///
/// Pure: the randomness is an argument.
package struct Backoff: Sendable {
  private let shortest: Duration
  private let longest: Duration
  private var attempts = 0

  package init(shortest: Duration = .milliseconds(50), longest: Duration = .seconds(5)) {
    self.shortest = shortest
    self.longest = longest
  }

  /// The wait before the next attempt: `random` (0 to 1) of a bound that doubles with every attempt up to `longest`, but never less than a tenth of
  /// `shortest`, so that no loop spins.
  package mutating func next(random: Double = .random(in: 0...1)) -> Duration {
    let bound = min(shortest * (1 << min(attempts, 20)), longest)
    attempts += 1
    return max(bound * random, shortest / 10)
  }

  /// The last attempt worked: the next failure waits short again.
  package mutating func reset() { attempts = 0 }
}
