import CLibpq
import Glibc
import Synchronization

/// Asks the server to stop what a connection runs.
///
/// `PQcancel` opens a connection of its own and waits for the server to close it: for ever, when the server is paused. So
/// each request has a thread, which alone owns the `PGcancel`. Past the limit requests are dropped: the caller closes its
/// connection after a short grace anyway.
enum CancelRequest {
  private static let limit = 64
  private static let running = Atomic<Int>(0)

  static func send(for connection: OpaquePointer) {
    guard running.add(1, ordering: .relaxed).newValue <= limit, let cancel = PQgetCancel(connection) else {
      running.subtract(1, ordering: .relaxed)
      return
    }
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { context in
        CancelRequest.run(OpaquePointer(context))
        return nil
      }, UnsafeMutableRawPointer(cancel))
    if status == 0 {
      pthread_detach(thread)
    } else {
      finish(cancel)
    }
  }

  private static func run(_ cancel: OpaquePointer?) {
    var text = [CChar](repeating: 0, count: 256)
    _ = PQcancel(cancel, &text, CInt(text.count))
    finish(cancel)
  }

  private static func finish(_ cancel: OpaquePointer?) {
    PQfreeCancel(cancel)
    running.subtract(1, ordering: .relaxed)
  }
}
