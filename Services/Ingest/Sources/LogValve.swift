import ServiceLifecycle
import Synchronization

/// Closed while the log is too full to take more in. Whoever waits here holds its acknowledgements back, so the pressure goes to the
/// broker's disk.
final class LogValve: Sendable {
  private struct State {
    var isOpen = true
    var lastID = 0
    /// Bound: one for each subscriber, which has one batch in hand.
    var waiting: [Int: AsyncStream<Never>.Continuation] = [:]
  }

  private let state = Mutex(State())

  var isOpen: Bool { state.withLock { $0.isOpen } }

  /// Returns once the valve is open.
  /// - Throws: `CancellationError`, on graceful shutdown too: nobody is to wait for room then.
  func pass() async throws {
    let (opening, opened) = AsyncStream.makeStream(of: Never.self)
    let id: Int? = state.withLock { state in
      guard !state.isOpen else { return nil }
      state.lastID += 1
      state.waiting[state.lastID] = opened
      return state.lastID
    }
    guard let id else { return }
    defer { state.withLock { _ = $0.waiting.removeValue(forKey: id) } }
    for await _ in opening.cancelOnGracefulShutdown() {}
    guard isOpen else { throw CancellationError() }
  }

  func set(isOpen: Bool) {
    let waiting = state.withLock { state in
      state.isOpen = isOpen
      return isOpen ? Array(state.waiting.values) : []
    }
    for waiter in waiting { waiter.finish() }
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
