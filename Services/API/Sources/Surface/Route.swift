import Hummingbird

/// An operation and what carries it out.
struct Route: Sendable {
  typealias Handler = @Sendable (Call) async throws -> Response

  let operation: Operation
  let handle: Handler

  init(_ operation: Operation, _ handle: @escaping Handler) {
    self.operation = operation
    self.handle = handle
  }
}
