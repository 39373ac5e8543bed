/// What a client has received so far; a test waits for what it expects of it.
actor Mailbox {
  struct Expired: Error, CustomStringConvertible {
    let description: String
  }

  private(set) var messages: [JSON] = []
  private let changes: AsyncStream<Void>
  private let changed: AsyncStream<Void>.Continuation

  init() { (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  func append(_ message: JSON) {
    messages.append(message)
    changed.yield()
  }

  /// Waits until `find` gives something for all messages so far. One waiter at a time.
  func wait<Found: Sendable>(
    for purpose: String, limit: Duration = .seconds(30), _ find: @escaping @Sendable ([JSON]) -> Found?
  ) async throws -> Found {
    try await withThrowingTaskGroup(of: Found.self) { group in
      group.addTask { try await self.next(find) }
      group.addTask {
        try await Task.sleep(for: limit)
        let messages = await self.messages
        throw Expired(description: "no \(purpose) within \(limit); \(messages.count) messages, at last \(messages.suffix(3))")
      }
      defer { group.cancelAll() }
      guard let found = try await group.next() else { throw CancellationError() }
      return found
    }
  }

  private func next<Found: Sendable>(_ find: @Sendable ([JSON]) -> Found?) async throws -> Found {
    if let found = find(messages) { return found }
    for await _ in changes {
      if let found = find(messages) { return found }
    }
    throw CancellationError()
  }

  func count(ofType type: String) -> Int { messages.count { $0["type"]?.string == type } }
}
