import Dispatch
import Glibc
import Synchronization

/// Runs an actor's jobs on one thread of its own, so that blocking there never holds a thread of Swift's cooperative pool.
///
/// The thread keeps the executor alive until `stop`. The queue is bounded by its users: a connection has one caller at a time.
final class ThreadExecutor: SerialExecutor {
  private let jobs = Mutex<[UnownedJob]>([])
  /// Signalled once per job. A signal without a job is the order to stop.
  private let available = DispatchSemaphore(value: 0)

  /// - Returns: nil when the system gives no more threads.
  static func start() -> ThreadExecutor? {
    let executor = ThreadExecutor()
    let context = Unmanaged.passRetained(executor)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<ThreadExecutor>.fromOpaque(context).takeRetainedValue().runJobs()
        return nil
      }, context.toOpaque())
    guard status == 0 else {
      context.release()
      return nil
    }
    pthread_detach(thread)
    return executor
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
    available.signal()
  }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Ends the thread after the jobs that were enqueued before.
  func stop() { available.signal() }

  private func runJobs() {
    while true {
      available.wait()
      guard let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
      job.runSynchronously(on: asUnownedSerialExecutor())
    }
  }
}
