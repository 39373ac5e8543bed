/// A name in which `*` stands for any run of characters, none included: `EPIC-*`, `*.temperature_c`.
package struct Pattern: Hashable, Sendable, CustomStringConvertible {
  package static let lengthMax = 128

  package let description: String
  private let bytes: [UInt8]
  /// Without a `*` it is the name itself.
  package let isLiteral: Bool

  /// Nil when empty or longer than `lengthMax` bytes.
  package init?(_ text: String) {
    guard (1...Self.lengthMax).contains(text.utf8.count) else { return nil }
    description = text
    bytes = Array(text.utf8)
    isLiteral = !bytes.contains(UInt8(ascii: "*"))
  }

  package func matches(_ name: String) -> Bool {
    if isLiteral { return name == description }
    return Self.matches(bytes, Array(name.utf8))
  }

  /// Goes back to the last star only, so the time is at most the product of both lengths.
  private static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
    var (at, position) = (0, 0)
    var retry: (at: Int, position: Int)?
    while position < name.count {
      if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
        retry = (at + 1, position)
        at += 1
      } else if at < pattern.count, pattern[at] == name[position] {
        at += 1
        position += 1
      } else if let last = retry {
        retry = (last.at, last.position + 1)
        (at, position) = (last.at, last.position + 1)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
