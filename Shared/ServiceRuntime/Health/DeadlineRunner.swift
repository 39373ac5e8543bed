import Synchronization

/// Runs closures that may never return, so that whoever waits for one can stop waiting.
///
/// A task group waits for its children even when they ignore cancellation; this one belongs to the process and is never
/// waited for. The queue `jobs` holds 64 closures that are not yet started: past that a new one is refused, and its caller
/// told as if it had missed the deadline.
package final class DeadlineRunner: Sendable {
  typealias Job = @Sendable () async -> Void

  private let jobs: AsyncStream<Job>
  private let queue: AsyncStream<Job>.Continuation

  package init() {
    (jobs, queue) = AsyncStream.makeStream(of: Job.self, bufferingPolicy: .bufferingOldest(64))
  }

  /// Runs jobs until cancelled, and then until each has returned.
  package func run() async {
    await withDiscardingTaskGroup { group in
      for await job in jobs { group.addTask(operation: job) }
    }
  }

  /// False when the queue is full.
  func submit(_ job: @escaping Job) -> Bool {
    if case .enqueued = queue.yield(job) { return true }
    return false
  }
}

/// A closure that is called again and again, each time with a deadline.
final class DeadlineCall<Output: Sendable>: Sendable {
  let name: String
  private let deadline: Duration
  private let runner: DeadlineRunner
  private let body: @Sendable () async -> Output
  private let runningCount = Atomic<Int>(0)

  /// Calls beyond this many that have not returned are not made at all, so that a body that hangs does not pile up.
  static var runningMax: Int { 4 }

  init(name: String, deadline: Duration, runner: DeadlineRunner, body: @escaping @Sendable () async -> Output) {
    self.name = name
    self.deadline = deadline
    self.runner = runner
    self.body = body
  }

  /// The closure's output, or nil when the deadline came first.
  func callAsFunction() async -> Output? {
    guard runningCount.load(ordering: .relaxed) < Self.runningMax else { return nil }
    let (outcomes, outcome) = AsyncStream.makeStream(of: Output?.self, bufferingPolicy: .bufferingOldest(1))
    runningCount.wrappingAdd(1, ordering: .relaxed)
    let isSubmitted = runner.submit { [self] in
      outcome.yield(await body())
      runningCount.wrappingSubtract(1, ordering: .relaxed)
    }
    guard isSubmitted else {
      runningCount.wrappingSubtract(1, ordering: .relaxed)
      return nil
    }
    return await withTaskGroup(of: Void.self) { [deadline] group in
      group.addTask {
        try? await Task.sleep(for: deadline)
        outcome.yield(nil)
      }
      defer { group.cancelAll() }
      for await output in outcomes { return output }
      return nil
    }
  }
}
