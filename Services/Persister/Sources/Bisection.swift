/// Finds what PostgreSQL refuses in a batch by halving it, in order: each half that it takes is stored for good, so at the end
/// only the refused records are left out, each by itself.
struct Bisection {
  private var waiting: [Range<Int>]

  init(count: Int) { waiting = count > 0 ? [0..<count] : [] }

  /// What to try next; nil when all is done.
  var next: Range<Int>? { waiting.last }

  mutating func accepted() { waiting.removeLast() }

  /// - Returns: the one record that is refused by itself, which is done with then; nil when the halves are to be tried.
  mutating func refused() -> Int? {
    let range = waiting.removeLast()
    guard range.count > 1 else { return range.lowerBound }
    let middle = range.lowerBound + range.count / 2
    waiting.append(middle..<range.upperBound)
    waiting.append(range.lowerBound..<middle)
    return nil
  }
}
