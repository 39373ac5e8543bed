import ServiceLifecycle
import Synchronization

/// When the drain began.
final class DrainGate: Sendable {
  private let start = Mutex<ContinuousClock.Instant?>(nil)
  private let begins: AsyncStream<Void>
  private let begin: AsyncStream<Void>.Continuation

  init() {
    (begins, begin) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
  }

  func open() {
    start.withLock { $0 = $0 ?? .now }
    begin.finish()
  }

  /// Returns once the drain has begun, or when cancelled.
  func begun() async {
    for await _ in begins {}
  }

  /// Whether the drain began longer than `period` ago.
  func isOver(_ period: Duration) -> Bool {
    start.withLock { $0.map { ContinuousClock.now - $0 >= period } ?? false }
  }
}

/// The last of a service's parts: the first to hear of a shutdown, and so the one that says so on `/readyz`.
struct ReadinessGate: Service {
  let health: Health
  let drain: DrainGate

  func run() async throws {
    health.beginServing()
    // Throws only when cancelled, which is a shutdown too.
    try? await gracefulShutdown()
    health.beginDraining()
    drain.open()
  }
}
