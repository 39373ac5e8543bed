/// Why a text is no rule: the member that is wrong, by its path, and what it must be.
package struct RuleError: Error, Hashable, Sendable, CustomStringConvertible {
  /// `when.clear`; empty for the rule as a whole.
  package let path: String
  package let description: String

  init(_ path: String, _ sentence: String) {
    self.path = path
    description = path.isEmpty ? sentence : "'\(path)' \(sentence)"
  }
}
