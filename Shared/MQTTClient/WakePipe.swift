import Glibc
import Synchronization

/// Ends another thread's `poll`. libmosquitto's own socket pair is not reachable from outside.
final class WakePipe: Sendable {
  private let readEnd: CInt
  private let writeEnd: CInt

  /// Set by the reader around a call that `wake` cannot end. Set it, then read the mail: whoever posts, then asks, misses nothing.
  let isReaderBlocked = Atomic(false)

  init() throws(MQTTError) {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw MQTTError(.configuration, "No pipe could be opened (errno \(errno)): raise the limit of open files.")
    }
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// A full pipe is as good as a written byte: the reader wakes either way.
  func wake() {
    var byte: UInt8 = 1
    _ = write(writeEnd, &byte, 1)
  }

  func drain() {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
      while read(readEnd, buffer.baseAddress, buffer.count) == buffer.count {}
    }
  }

  /// Waits until the pipe is woken, `socket` is ready for `events` (`POLLIN`, `POLLOUT`), or `deadline` has passed.
  /// - Returns: whether the socket is ready or broken.
  func wait(socket: CInt? = nil, for events: CInt = POLLIN, until deadline: ContinuousClock.Instant) -> Bool {
    let remaining = max(.zero, deadline - .now)
    let milliseconds = remaining.components.seconds * 1000 + remaining.components.attoseconds / 1_000_000_000_000_000
    var descriptors = [pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0), pollfd(fd: socket ?? -1, events: Int16(events), revents: 0)]
    // Rounded up: a wait of under a millisecond must not spin.
    guard poll(&descriptors, 2, CInt(min(milliseconds + (remaining > .zero ? 1 : 0), 60_000))) > 0 else { return false }
    if descriptors[0].revents != 0 { drain() }
    return descriptors[1].revents != 0
  }
}
