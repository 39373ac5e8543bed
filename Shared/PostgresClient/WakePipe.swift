import Glibc

/// Wakes a thread that waits in `poll` on a socket. Any thread may signal; only the connection's own thread waits.
final class WakePipe: Sendable {
  enum Readiness { case socket, woken, timedOut }

  private let readEnd: CInt
  private let writeEnd: CInt

  /// - Returns: nil when the process has no file descriptor left.
  init?() {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    (readEnd, writeEnd) = (ends[0], ends[1])
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  func signal() {
    var byte: UInt8 = 1
    _ = write(writeEnd, &byte, 1)  // a full pipe wakes as well
  }

  /// Waits until `socket` is ready for `events`, somebody signals, or the limit passes. A socket that broke counts as ready.
  func wait(socket: CInt, events: Int32, until limit: ContinuousClock.Instant) -> Readiness {
    while true {
      let left = limit - .now
      guard left > .zero else { return .timedOut }
      // Rounded up, so that the last wait does not spin; capped, since poll counts in 32 bits.
      let milliseconds = CInt(min(left.components.seconds, 3600) * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1)
      var descriptors = [
        pollfd(fd: socket, events: Int16(events), revents: 0), pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&descriptors, 2, milliseconds) > 0 else { continue }
      if descriptors[1].revents != 0 {
        drain()
        return .woken
      }
      return .socket
    }
  }

  /// True when the socket has something to read, or broke, right now.
  func isReadable(socket: CInt) -> Bool {
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return poll(&descriptor, 1, 0) > 0
  }

  private func drain() {
    var bytes = [UInt8](repeating: 0, count: 64)
    while read(readEnd, &bytes, bytes.count) > 0 {}
  }
}
