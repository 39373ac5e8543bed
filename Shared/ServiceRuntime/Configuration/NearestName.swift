/// Finds what someone probably meant to write.
package enum NearestName {
  /// The candidate with the fewest single-character edits from `name`, if those are few enough to be a slip:
  /// at most a third of the name without its `MARTLET_` prefix.
  package static func find(_ name: String, in candidates: some Sequence<String>) -> String? {
    let distances = candidates.map { (distance: editDistance(name, $0), name: $0) }
    guard let nearest = distances.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
    let significant = name.hasPrefix(ConfigurationVariable.prefix) ? name.count - ConfigurationVariable.prefix.count : name.count
    return nearest.distance <= max(1, min(significant, 30) / 3) ? nearest.name : nil
  }

  /// How many insertions, deletions, substitutions and swaps of neighbours lead from one to the other (optimal string
  /// alignment). Names longer than 100 bytes are compared by their first 100.
  static func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8.prefix(100))
    let right = Array(right.utf8.prefix(100))
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for (row, byte) in left.enumerated() {
      var current = [row + 1]
      for (column, other) in right.enumerated() {
        var best = min(last[column + 1], current[column]) + 1
        best = min(best, last[column] + (byte == other ? 0 : 1))
        if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
          best = min(best, beforeLast[column - 1] + 1)
        }
        current.append(best)
      }
      (beforeLast, last) = (last, current)
    }
    return last[right.count]
  }
}
