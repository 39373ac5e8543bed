/// How often something may happen, for each of many keys: `burst` times at once, and then once per `interval`.
///
/// Keeps one moment a key (the generic cell rate algorithm), in two generations of at most `keysMax` keys each: when the younger is full, the older is
/// forgotten. So memory is bounded whatever comes in, and a key is forgotten only after that many others came.
struct RateLimiter: Sendable {
  let burst: Int
  let interval: Duration
  let keysMax: Int

  /// When each key's allowance will be whole again.
  private var young: [Int: ContinuousClock.Instant] = [:]
  private var old: [Int: ContinuousClock.Instant] = [:]

  init(burst: Int, interval: Duration, keysMax: Int = 65_536) {
    self.burst = burst
    self.interval = interval
    self.keysMax = keysMax
  }

  var keyCount: Int { young.count + old.count }

  /// Takes one from a key's allowance.
  /// - Returns: nil when it was there, else how long to wait for it.
  mutating func take(_ key: Int, at now: ContinuousClock.Instant) -> Duration? {
    let whole = max(young[key] ?? old[key] ?? now, now) + interval
    let wait = now.duration(to: whole) - interval * burst
    guard wait <= .zero else { return wait }
    remember(key, whole)
    return nil
  }

  /// Puts back what was taken.
  mutating func giveBack(_ key: Int, at now: ContinuousClock.Instant) {
    guard let whole = young[key] ?? old[key] else { return }
    remember(key, max(whole - interval, now))
  }

  private mutating func remember(_ key: Int, _ whole: ContinuousClock.Instant) {
    if young.count >= keysMax, young[key] == nil {
      old = young
      young = [:]
    }
    young[key] = whole
  }
}
