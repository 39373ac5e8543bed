/// How many mistakes a client may make: over `countMax` within `window` is too many (SPEC, section 2). Pure.
package struct ErrorBudget: Equatable, Sendable {
  private let countMax: Int
  private let window: Duration
  /// The last mistakes, `countMax` at most, oldest first.
  private var mistakes: [Timestamp] = []

  package init(countMax: Int = 20, window: Duration = .seconds(10)) {
    self.countMax = countMax
    self.window = window
  }

  /// Counts a mistake; false when it is one too many.
  package mutating func spend(at now: Timestamp) -> Bool {
    mistakes.removeAll { now - $0 >= window }
    guard mistakes.count < countMax else { return false }
    mistakes.append(now)
    return true
  }
}
