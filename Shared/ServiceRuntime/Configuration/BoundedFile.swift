import Glibc

/// Reads small files whole, with a bound.
package enum BoundedFile {
  package struct Failure: Error {
    /// The rest of a sentence that begins with the file: "cannot be read: Permission denied".
    package let reason: String

    package init(reason: String) { self.reason = reason }
  }

  /// The bytes of the file at `path`.
  package static func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(reason: "cannot be read: \(systemText(errno))") }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + filled, $0.count - filled) }
      if count == 0 { break }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw Failure(reason: "cannot be read: \(systemText(errno))")
      }
      filled += count
    }
    guard filled <= bytesMax else { throw Failure(reason: "is larger than \(bytesMax) bytes") }
    return Array(bytes[..<filled])
  }
}

/// The system's words for an `errno`.
func systemText(_ code: CInt) -> String { String(cString: strerror(code)) }
