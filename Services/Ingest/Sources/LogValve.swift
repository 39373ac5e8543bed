import Synchronization

/// Closed while the log is too full to take more in. Whoever waits here holds its acknowledgements back, so the pressure goes to the broker's disk.
final class LogValve: Sendable {
  private struct State {
    var isOpen = true
    /// Bound: one for each subscriber, which has one batch in hand.
    var waiting: [AsyncStream<Never>.Continuation] = []
  }

  private let state = Mutex(State())

  var isOpen: Bool { state.withLock { $0.isOpen } }

  /// Returns once the valve is open.
  /// - Throws: `CancellationError`.
  func pass() async throws {
    let opening: AsyncStream<Never>? = state.withLock { state in
      guard !state.isOpen else { return nil }
      let (opening, opened) = AsyncStream.makeStream(of: Never.self)
      state.waiting.append(opened)
      return opening
    }
    guard let opening else { return }
    for await _ in opening {}
    try Task.checkCancellation()
  }

  func set(isOpen: Bool) {
    let passing = state.withLock { state in
      state.isOpen = isOpen
      guard isOpen else { return [AsyncStream<Never>.Continuation]() }
      defer { state.waiting = [] }
      return state.waiting
    }
    for waiter in passing { waiter.finish() }
  }
}

/// When to close the valve and when to open it again. Pure.
struct LogBudget {
  /// Of the log server's memory.
  let percentMax: Int
  private(set) var isExceeded = false

  /// Opens again only when a twentieth of the budget is free, so that it does not flutter.
  mutating func update(usedBytes: Int, limitBytes: Int?) {
    guard let limitBytes, limitBytes > 0 else { return isExceeded = false }
    let budget = Double(limitBytes) * Double(percentMax) / 100
    isExceeded = Double(usedBytes) > (isExceeded ? budget * 0.95 : budget)
  }

  init(percentMax: Int) { self.percentMax = percentMax }
}
