/// Finds what PostgreSQL refuses in a batch by halving it, in order: each half that it takes is stored for good, so at the end
/// only the refused records are left out, each by itself.
package struct Bisection {
  private var waiting: [Range<Int>]

  package init(count: Int) { waiting = count > 0 ? [0..<count] : [] }

  /// What to try next; nil when all is done.
  package var next: Range<Int>? { waiting.last }

  package mutating func accepted() { waiting.removeLast() }

  /// - Returns: the one record that is refused by itself, which is done with then; nil when the halves are to be tried.
  package mutating func refused() -> Int? {
    let range = waiting.removeLast()
    guard range.count > 1 else { return range.lowerBound }
    let middle = range.lowerBound + range.count / 2
    waiting.append(middle..<range.upperBound)
    waiting.append(range.lowerBound..<middle)
    return nil
  }
}
