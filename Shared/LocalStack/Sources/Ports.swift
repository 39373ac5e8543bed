import Foundation
import Synchronization

/// Free TCP ports on the loopback interface.
package enum Ports {
  /// Below the range that the kernel hands to outgoing connections, so that nobody takes a port between its choice and its use.
  private static let range: ClosedRange<UInt16> = 20_000...31_999
  private static let given = Mutex<Set<UInt16>>([])
  /// A byte of this file stands for each port: who has locked it has given out the port, until its process ends. Other stacks of this user see that.
  private static let register: Int32 = {
    let path = FileManager.default.temporaryDirectory.appending(path: "martlet-ports-\(getuid())").path
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
  }()

  /// A port that nobody listens on, and that neither this process nor another stack has given out before.
  package static func free() throws(LocalStackError) -> Int {
    for _ in 0..<1_000 {
      let port = UInt16.random(in: range)
      guard given.withLock({ $0.insert(port).inserted }), register < 0 || reserve(port) else { continue }
      if isFree(Int(port)) { return Int(port) }
    }
    throw LocalStackError(
      .unusable, part: "ports", "No free port was found in \(range.lowerBound) to \(range.upperBound); end programs that listen there.")
  }

  /// Makes the port this process' until its end, unless it is another's.
  private static func reserve(_ port: UInt16) -> Bool {
    var lock = flock()
    (lock.l_type, lock.l_whence, lock.l_start, lock.l_len) = (Int16(F_WRLCK), Int16(SEEK_SET), off_t(port), 1)
    return fcntl(register, F_SETLK, &lock) == 0
  }

  /// Whether a listener could bind this port on all interfaces at this moment.
  static func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    // As servers do: connections of an earlier listener that linger in TIME_WAIT do not take a port.
    var reuse: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }
}
