import Synchronization
import Testing

/// Collects what other threads report, and waits for it with a deadline.
final class Inbox<Element: Sendable>: Sendable {
  private struct State {
    var elements: [Element] = []
    var watchers: [AsyncStream<Void>.Continuation] = []
  }

  struct DeadlinePassed: Error, CustomStringConvertible {
    let description: String
  }

  private let state = Mutex(State())

  var elements: [Element] { state.withLock { $0.elements } }

  func append(_ element: Element) { append(contentsOf: [element]) }

  func append(contentsOf elements: [Element]) {
    let watchers = state.withLock { state in
      state.elements += elements
      return state.watchers
    }
    for watcher in watchers { watcher.yield() }
  }

  @discardableResult
  func wait(
    within limit: Duration = .seconds(30), until isEnough: @escaping @Sendable ([Element]) -> Bool
  ) async throws -> [Element] {
    let (changes, watcher) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    state.withLock { $0.watchers.append(watcher) }
    watcher.yield()
    return try await withThrowingTaskGroup(of: [Element].self) { group in
      defer { group.cancelAll() }
      group.addTask {
        for await _ in changes where isEnough(self.elements) { return self.elements }
        throw CancellationError()
      }
      group.addTask {
        try await Task.sleep(for: limit)
        throw DeadlinePassed(description: "\(limit) passed; until then: \(self.elements)")
      }
      return try await group.next() ?? []
    }
  }

  func wait(count: Int, within limit: Duration = .seconds(30)) async throws -> [Element] {
    try await wait(within: limit) { $0.count >= count }
  }
}
