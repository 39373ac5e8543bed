import Foundation
import Models

/// A login at the API, kept between commands in a file that only its user can read.
struct APISession: Sendable, Equatable {
  /// `http://127.0.0.1:8080/api`
  var url: String
  var userID: String
  var accessToken: String
  /// Good for one use.
  var refreshToken: String

  /// From the API's answer to a login or a refresh.
  init(url: String, answer: JSONObject) throws(CommandError) {
    guard let user = answer.string("user_id"), let access = answer.string("access_token"), let refresh = answer.string("refresh_token")
    else {
      throw CommandError("The API's answer holds no tokens: is \(url) Martlet's?")
    }
    (self.url, userID, accessToken, refreshToken) = (url, user, access, refresh)
  }

  fileprivate init?(file: JSONObject) {
    guard let url = file.string("url"), let user = file.string("user_id"), let access = file.string("access_token"),
      let refresh = file.string("refresh_token")
    else { return nil }
    (self.url, userID, accessToken, refreshToken) = (url, user, access, refresh)
  }

  fileprivate var encoded: [UInt8] {
    var text: [UInt8] = []
    for (name, value) in [("url", url), ("user_id", userID), ("access_token", accessToken), ("refresh_token", refreshToken)] {
      text.append(UInt8(ascii: text.isEmpty ? "{" : ","))
      text.append(json: name)
      text.append(UInt8(ascii: ":"))
      text.append(json: value)
    }
    return text + Array("}\n".utf8)
  }
}

/// Where the session lies: `martletctl/session.json` in XDG_CONFIG_HOME, or in `~/.config`.
struct APISessionFile: Sendable {
  let path: String

  init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    let base = environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(environment["HOME"] ?? "")/.config"
    path = "\(base)/martletctl/session.json"
  }

  /// Nil when there is none, or none that can be read.
  func read() -> APISession? {
    guard let data = FileManager.default.contents(atPath: path), let object = try? JSONObject(parsing: Array(data)) else { return nil }
    return APISession(file: object)
  }

  /// Replaces it whole, so that nobody ever reads half of one.
  func write(_ session: APISession) throws {
    let folder = (path as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let draft = "\(path).\(getpid())"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failure("cannot be written") }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try handle.write(contentsOf: Data(session.encoded))
    try handle.synchronize()
    guard rename(draft, path) == 0 else { throw failure("cannot be replaced") }
  }

  func remove() { unlink(path) }

  /// Runs `body` while no other command does: a refresh token must not be used twice.
  func exclusively<Value>(_ body: () async throws -> Value) async throws -> Value {
    let descriptor = open("\(path).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure("cannot be locked") }
    defer { close(descriptor) }
    // Others hold it for one request.
    let deadline = ContinuousClock.now + .seconds(30)
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard .now < deadline else { throw failure("is kept locked by another martletctl") }
      try await Task.sleep(for: .milliseconds(50))
    }
    return try await body()
  }

  private func failure(_ what: String) -> CommandError { CommandError("The file \(path) \(what): \(String(cString: strerror(errno))).") }
}
