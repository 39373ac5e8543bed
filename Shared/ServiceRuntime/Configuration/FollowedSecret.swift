package import Logging
internal import Synchronization

/// A secret that a service was given, as it is now: one that stands in a file changes with the file, while the service runs. While the file cannot be used
/// (it is missing, or empty, or holds something else), the secret stays what it was.
///
/// The file is read by whoever asks, so ask where a secret is used seldom: when a connection is made, or once a second. It never prints itself.
package final class FollowedSecret<Value: Sendable>: Sendable, CustomStringConvertible, CustomReflectable {
  /// Nil where the secret stands in the variable itself, and so stays what it is.
  package let file: String?
  private let read: @Sendable () throws(BoundedFile.Failure) -> Value
  private let state: Mutex<(last: Value, isUsable: Bool)>

  init(_ value: Value) {
    file = nil
    read = { value }
    state = Mutex((value, true))
  }

  /// - Parameters:
  ///   - form: what the file must hold, for an error.
  ///   - parse: answers nil for a text that is not of this form.
  init(file: String, wants form: String, by parse: @escaping @Sendable (String) -> Value?) throws(BoundedFile.Failure) {
    let read = { @Sendable () throws(BoundedFile.Failure) in
      guard let value = parse(try SecretFile.text(file)) else { throw BoundedFile.Failure(reason: "does not hold \(form)") }
      return value
    }
    self.file = file
    self.read = read
    state = Mutex((try read(), true))
  }

  package var description: String { "FollowedSecret(…)" }
  package var customMirror: Mirror { Mirror(self, children: []) }

  /// What the file holds now, or what it held when it could last be used.
  package func current() -> Value { look() ?? state.withLock(\.last) }

  /// What the file holds now, nil while it cannot be used.
  ///
  /// - Parameter logger: is told, once, when the file cannot be used any more.
  package func look(_ logger: @autoclosure () -> Logger = Logger(label: "martlet.secrets")) -> Value? {
    do throws(BoundedFile.Failure) {
      let value = try read()
      state.withLock { $0 = (value, true) }
      return value
    } catch {
      let wasUsable = state.withLock { state in
        defer { state.isUsable = false }
        return state.isUsable
      }
      if wasUsable {
        logger().error(
          "The file of a secret cannot be used: the secret stays what it was",
          metadata: ["file": "\(file ?? "")", "error": "\(error.reason)"])
      }
      return nil
    }
  }

  /// `current` as a function.
  package var reader: @Sendable () -> Value { { self.current() } }

  /// Whether the file can be used now.
  var isUsable: Bool { (try? read()) != nil }
}

/// The files that hold a service's secrets.
final class SecretFiles: Sendable {
  static let metric = "martlet_secret_file_unusable"
  static let metricHelp = "1 while the file that a variable names holds no secret that can be used, and the one from before stays"

  private let files = Mutex<[(variable: String, isUsable: @Sendable () -> Bool)]>([])

  func add<Value>(_ secret: FollowedSecret<Value>, named variable: String) {
    files.withLock { $0.append((variable, { secret.isUsable })) }
  }

  /// Looks at every file.
  func samples() -> [MetricSample] {
    files.withLock(\.self).map { MetricSample(Self.metric, labels: [("variable", $0.variable)], $0.isUsable() ? 0 : 1) }
  }
}

enum SecretFile {
  static let lengthMax_bytes = 64 * 1024

  /// What the file holds, without its last line break.
  static func text(_ path: String) throws(BoundedFile.Failure) -> String {
    let bytes = try BoundedFile.read(path, bytesMax: lengthMax_bytes)
    guard var text = String(validating: bytes, as: UTF8.self) else { throw BoundedFile.Failure(reason: "is not UTF-8 text") }
    if text.last?.isNewline == true { text.removeLast() }
    guard !text.isEmpty else { throw BoundedFile.Failure(reason: "is empty: write the secret into it") }
    return text
  }
}
