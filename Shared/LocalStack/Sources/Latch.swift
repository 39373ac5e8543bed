import Synchronization

/// A value that is set once and awaited by any number of tasks; waiting ends early when the waiting task is cancelled.
final class Latch<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiters: [Int: CheckedContinuation<Value, any Error>] = [:]
    var nextWaiter = 0
  }

  private let state = Mutex(State())

  /// The value, if it has been set.
  var current: Value? { state.withLock { $0.value } }

  /// Sets the value and wakes every waiter. Only the first call counts.
  func set(_ value: Value) {
    let waiters = state.withLock { state -> [CheckedContinuation<Value, any Error>] in
      guard state.value == nil else { return [] }
      state.value = value
      defer { state.waiters.removeAll() }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume(returning: value) }
  }

  /// Waits for the value. Throws `CancellationError` when the calling task is cancelled first.
  func get() async throws -> Value {
    let ticket = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome: Result<Value, any Error>? = state.withLock { state in
          if let value = state.value { return .success(value) }
          if Task.isCancelled { return .failure(CancellationError()) }
          state.waiters[ticket] = continuation
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let waiter = state.withLock { $0.waiters.removeValue(forKey: ticket) }
      waiter?.resume(throwing: CancellationError())
    }
  }
}

/// Runs `body`, cancels it once `limit` has passed, and throws what `expired` makes in that case.
func withDeadline<Success: Sendable>(
  _ limit: Duration, expired: @escaping @Sendable () -> LocalStackError,
  _ body: @escaping @Sendable () async throws -> Success
) async throws -> Success {
  try await withThrowingTaskGroup(of: Success.self) { group in
    group.addTask(operation: body)
    group.addTask {
      try await Task.sleep(for: limit)
      throw expired()
    }
    defer { group.cancelAll() }
    guard let first = try await group.next() else { throw expired() }
    return first
  }
}
