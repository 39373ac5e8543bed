import Foundation

/// The folder that holds everything of one stack: data, logs, secrets, generated configuration.
package struct StackFolder: Sendable {
  /// An absolute path.
  package let path: String
  package let isTemporary: Bool

  /// - Parameter path: where, made if missing; nil makes a temporary folder that the stack removes at its end.
  package init(_ path: String?) throws {
    if let path {
      let absolute = URL(fileURLWithPath: path).standardizedFileURL.path
      try FileManager.default.createDirectory(atPath: absolute, withIntermediateDirectories: true)
      self.path = absolute
      isTemporary = false
    } else {
      var template = Array("\(NSTemporaryDirectory())/martlet-XXXXXX".replacingOccurrences(of: "//", with: "/").utf8CString)
      guard mkdtemp(&template) != nil else {
        throw LocalStackError(
          .unusable, part: "folder", "No temporary folder can be made in \(NSTemporaryDirectory()); set TMPDIR to one that is writable.")
      }
      self.path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
      isTemporary = true
      chmod(self.path, 0o711)  // PostgreSQL may run under another account; what is private inside has its own permissions
    }
    try makePrivate("secrets")
    try makePrivate("logs")
  }

  /// The file that a part logs to.
  package func log(_ part: String) -> String { "\(path)/logs/\(part).log" }

  /// Locked while a stack uses the folder, and until its last process has gone.
  package var lockFile: String { "\(path)/lock" }

  /// The addresses of the running stack; missing when none runs.
  package var reportFile: String { "\(path)/stack.json" }

  /// The token of the demo's user, valid for a week from the stack's start.
  package var tokenFile: String { "\(path)/token" }

  /// The file that keeps a credential; readable by its owner only.
  package func secretFile(_ name: String) -> String { "\(path)/secrets/\(name)" }

  /// A credential: kept from an earlier run, or made anew from 128 random bits as 32 hexadecimal digits.
  func secret(_ name: String) throws -> String {
    let file = secretFile(name)
    if let kept = try? String(contentsOfFile: file, encoding: .utf8), !kept.isEmpty { return kept.trimmingCharacters(in: .newlines) }
    var generator = SystemRandomNumberGenerator()
    let halves = (0..<2).map { _ in String(generator.next() as UInt64, radix: 16) }
    let secret = halves.map { String(repeating: "0", count: 16 - $0.count) + $0 }.joined()
    try writePrivate(secret, to: file)
    return secret
  }

  /// Makes a sub-folder that only we can read, and returns its path.
  @discardableResult
  func makePrivate(_ name: String) throws -> String {
    let folder = "\(path)/\(name)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return folder
  }

  /// Replaces a file by one that was private from its first byte.
  package func writePrivate(_ text: String, to file: String) throws {
    let fresh = file + ".new"
    try? FileManager.default.removeItem(atPath: fresh)
    let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
    guard FileManager.default.createFile(atPath: fresh, contents: Data(text.utf8), attributes: attributes), rename(fresh, file) == 0 else {
      throw LocalStackError(.unusable, part: "folder", "\(file) cannot be written: \(String(cString: strerror(errno))).")
    }
  }
}
