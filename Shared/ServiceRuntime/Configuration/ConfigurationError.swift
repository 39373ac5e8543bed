/// A setting that cannot be used. Its description is one sentence that names the variable, what it got and what it wants,
/// and that never shows a secret.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
  package enum Code: String, Sendable {
    /// A required variable has no text.
    case missing
    /// A text that the variable does not take.
    case invalid
    /// Two ways of giving one secret are used at once.
    case ambiguous
    /// A file that a variable names cannot be read or understood.
    case unusableFile
    /// The command line is not understood.
    case unknownOption
  }

  package let code: Code
  /// The variable, file or option that is at fault.
  package let subject: String
  package let description: String

  package init(code: Code, subject: String, description: String) {
    self.code = code
    self.subject = subject
    self.description = description
  }
}
