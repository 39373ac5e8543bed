internal import ServiceLifecycle

/// Work that must not be done on an event loop: questions to PostgreSQL and to the log.
///
/// A job keeps its own deadlines. At most `runningMax` run at a time and `waitingMax` wait; one more is refused, and whoever wanted it tells
/// its client to try again.
package final class JobQueue: Service, Sendable {
  package typealias Job = @Sendable () async -> Void

  private let runningMax: Int
  private let jobs: AsyncStream<Job>
  private let sink: AsyncStream<Job>.Continuation

  package init(waitingMax: Int = 65_536, runningMax: Int) {
    self.runningMax = runningMax
    (jobs, sink) = AsyncStream.makeStream(of: Job.self, bufferingPolicy: .bufferingOldest(waitingMax))
  }

  /// From any thread. False when the job was refused.
  package func submit(_ job: @escaping Job) -> Bool {
    if case .enqueued = sink.yield(job) { true } else { false }
  }

  package func run() async throws {
    await withTaskGroup(of: Void.self) { group in
      var running = 0
      for await job in jobs.cancelOnGracefulShutdown() {
        if running == runningMax {
          await group.next()
          running -= 1
        }
        group.addTask { await job() }
        running += 1
      }
      group.cancelAll()
    }
  }
}
