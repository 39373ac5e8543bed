import Synchronization

@testable import ServiceRuntime

/// A collector that does not answer until it is released.
enum Stuck {
  private static let held = Mutex<CheckedContinuation<[MetricSample], Never>?>(nil)

  static func hold(_ continuation: CheckedContinuation<[MetricSample], Never>) { held.withLock { $0 = continuation } }
  static func release() { held.withLock { $0.take() }?.resume(returning: []) }
}
