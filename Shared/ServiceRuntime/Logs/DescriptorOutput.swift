import Glibc

/// Writes to a file descriptor, unbuffered.
package enum DescriptorOutput {
  /// Writes all of `bytes`, waiting while the reader of a full pipe does not read.
  /// - Returns: false when there is nobody left to read.
  package static func write(_ bytes: [UInt8], to descriptor: CInt) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var offset = 0
      while offset < buffer.count {
        let count = Glibc.write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
        if count > 0 {
          offset += count
        } else if errno == EAGAIN {
          var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&poller, 1, 1000)
        } else if errno != EINTR {
          return false
        }
      }
      return true
    }
  }
}
