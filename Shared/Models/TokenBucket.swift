/// How often something may happen: `burst` at once, and `perSecond` in the long run. Pure.
package struct TokenBucket: Hashable, Sendable {
  private let burst: Double
  private let perSecond: Double
  private var level: Double
  private var last: Timestamp?

  package init(burst: Int, perSecond: Double) {
    (self.burst, self.perSecond, level) = (Double(burst), perSecond, Double(burst))
  }

  /// Counts one; false when it is one too many, and then it does not count.
  package mutating func spend(at now: Timestamp) -> Bool {
    if let last { level = min(burst, level + max(0, (now - last) / .seconds(1)) * perSecond) }
    last = now
    guard level >= 1 else { return false }
    level -= 1
    return true
  }
}
