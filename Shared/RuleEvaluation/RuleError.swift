/// Why a text is no rule: the member that is wrong, by its path, and what it must be.
package struct RuleError: Error, Hashable, Sendable, CustomStringConvertible {
  /// `when.clear`; empty for the rule as a whole.
  package let path: String
  /// What is wrong with it, without its path.
  package let sentence: String
  package var description: String { path.isEmpty ? sentence : "'\(path)' \(sentence)" }

  package init(_ path: String, _ sentence: String) {
    self.path = path
    self.sentence = sentence
  }
}
