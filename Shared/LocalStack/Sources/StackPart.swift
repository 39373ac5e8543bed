/// The servers that a stack can hold; the raw value is the part's name.
package enum StackServer: String, Sendable, CaseIterable {
  case postgres, redis, mosquitto, nginx
}

/// One part of the stack: how its process is started, and how to see that it truly serves.
protocol StackPart: Sendable {
  var launch: Launch { get }
  /// What a person can do when it does not start, as the end of a sentence.
  var remedy: String { get }
  /// Asks the part once, the way its users will. Throws when it does not answer as it must.
  func probe() async throws
  /// What is to be done once after each start, such as setting passwords.
  func configure() async throws
}

extension StackPart {
  func configure() async throws {}
}
