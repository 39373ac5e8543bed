/// Why the local stack, or a part of it, could not do what was asked: a code for programs, a sentence for people.
package struct LocalStackError: Error, Sendable, CustomStringConvertible {
  package enum Code: String, Sendable {
    /// A program that the stack needs is not installed, or one of ours is not built.
    case missingProgram
    /// A part's process ended before, or instead of, becoming ready.
    case ended
    /// A part did not become ready, or did not stop, before its deadline.
    case deadlineExceeded
    /// A short-lived tool (psql, mosquitto_passwd, openssl …) failed.
    case toolFailed
    /// A part was named that this stack does not have.
    case unknownPart
    /// The folder, a port or a template cannot be used.
    case unusable
  }

  package let code: Code
  /// The part or program concerned, such as `postgres` or `gateway-1`.
  package let part: String
  /// What happened and what to do about it. Never holds a credential.
  package let message: String

  package init(_ code: Code, part: String, _ message: String) {
    self.code = code
    self.part = part
    self.message = message
  }

  package var description: String { "\(part): \(message)" }
}
