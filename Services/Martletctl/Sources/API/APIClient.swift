import AsyncHTTPClient
import Foundation
import Models
import NIOCore
import NIOHTTP1
import ServiceRuntime

/// Speaks to the REST API as whoever logged in, and renews the access token when it has run out.
struct APIClient: Sendable {
  private static let timeout = TimeAmount.seconds(60)
  /// No answer of the API that is read whole is larger.
  private static let answerBytesMax = 256 << 20

  let url: String
  private let file: APISessionFile
  /// Given in the environment, it counts instead of the session's.
  private let ownToken: String?

  /// - Parameter isLoggingIn: there need not be a session yet.
  init(_ values: ConfigurationValues, file: APISessionFile = APISessionFile(), isLoggingIn: Bool = false) throws {
    self.file = file
    ownToken = try values.optionalSecret(.apiToken)
    let session = file.read()
    let url = values.optionalString(.apiURL) ?? (isLoggingIn ? nil : session?.url) ?? "http://127.0.0.1:8080/api"
    guard let parts = URLComponents(string: url), ["http", "https"].contains(parts.scheme), parts.host?.isEmpty == false,
      parts.password == nil
    else { throw values.invalid(.apiURL, wants: "an address like http://127.0.0.1:8080/api") }
    self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
    guard isLoggingIn || ownToken != nil || session != nil else {
      throw CommandError("Nobody is logged in: use `martletctl login USER`, or give a token in MARTLET_API_TOKEN_FILE.")
    }
    // A token goes to nobody but who gave it.
    if !isLoggingIn, ownToken == nil, let session, session.url != self.url {
      throw CommandError("The login is for \(session.url), not for \(self.url): use `martletctl login USER` there.")
    }
  }

  /// Logs in, and keeps the session.
  func logIn(user: String, password: String) async throws {
    let body = JSONText.object([("user_id", user), ("password", password)])
    let answer = try await exchange(.POST, "/v1/auth/login", body: body, token: nil)
    try file.write(APISession(url: url, answer: try Self.object(answer)))
  }

  /// Revokes the session's tokens, and forgets it whatever the API says.
  func logOut() async throws {
    let session = file.read()
    defer { file.remove() }
    _ = try await send(.POST, "/v1/auth/logout", body: JSONText.object([("refresh_token", session?.refreshToken ?? "")]))
  }

  func get(_ path: String, _ query: [(String, String?)] = []) async throws -> JSONObject {
    let items = query.compactMap { name, value in value.map { "\(name)=\(Self.escaped($0))" } }
    return try Self.object(try await send(.GET, items.isEmpty ? path : "\(path)?\(items.joined(separator: "&"))"))
  }

  func send(_ method: HTTPMethod, _ path: String, body: [UInt8]? = nil) async throws -> [UInt8] {
    if let ownToken { return try await exchange(method, path, body: body, token: ownToken) }
    let token = file.read()?.accessToken
    do {
      return try await exchange(method, path, body: body, token: token)
    } catch let problem as APIProblem where problem.code == "invalid_token" {
      return try await exchange(method, path, body: body, token: try await renewed(token))
    }
  }

  /// A new access token, unless another command has renewed it meanwhile.
  private func renewed(_ old: String?) async throws -> String {
    try await file.exclusively {
      guard let session = file.read() else { throw CommandError("Nobody is logged in: use `martletctl login USER`.") }
      guard session.accessToken == old else { return session.accessToken }
      let body = JSONText.object([("refresh_token", session.refreshToken)])
      let answer = try await exchange(.POST, "/v1/auth/refresh", body: body, token: nil)
      let next = try APISession(url: url, answer: try Self.object(answer))
      try file.write(next)
      return next.accessToken
    }
  }

  private func exchange(_ method: HTTPMethod, _ path: String, body: [UInt8]?, token: String?) async throws -> [UInt8] {
    var request = HTTPClientRequest(url: url + path)
    request.method = method
    request.headers.add(name: "Accept", value: "application/json")
    if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(body)
    }
    let (status, bytes): (HTTPResponseStatus, [UInt8])
    do {
      let response = try await HTTPClient.shared.execute(request, timeout: Self.timeout)
      (status, bytes) = (response.status, Array(try await response.body.collect(upTo: Self.answerBytesMax).readableBytesView))
    } catch {
      throw CommandError("The API at \(url) cannot be reached: \(String(describing: error).prefix(200)).")
    }
    guard (200..<300).contains(status.code) else { throw APIProblem(status: Int(status.code), body: bytes) }
    return bytes
  }

  private static func object(_ bytes: [UInt8]) throws -> JSONObject {
    do { return try JSONObject(parsing: bytes) } catch { throw CommandError("The API's answer cannot be read: \(error).") }
  }

  /// A text as a part of a path or a query.
  static func escaped(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~"))) ?? ""
  }
}

/// What the API refused, in its own words.
struct APIProblem: Error, Sendable, CustomStringConvertible {
  /// What a program goes by; empty where the answer is no problem document.
  let code: String
  let description: String

  init(status: Int, body: [UInt8]) {
    guard let object = try? JSONObject(parsing: body), let detail = object.string("detail") else {
      (code, description) = ("", "The API answered with status \(status).")
      return
    }
    code = object.string("code") ?? ""
    let errors = (object.elements("errors") ?? []).compactMap { try? JSONObject(parsing: Array($0)) }
      .map { "\n  \(EventLine.visible($0.string("place") ?? "")) \(EventLine.visible($0.string("detail") ?? ""))" }
    description = "\(EventLine.visible(detail)) (\(EventLine.visible(code)), \(status))" + errors.joined()
  }
}

/// JSON objects of texts.
enum JSONText {
  static func object(_ members: [(String, String)]) -> [UInt8] {
    var text: [UInt8] = []
    for (name, value) in members {
      text.append(UInt8(ascii: text.isEmpty ? "{" : ","))
      text.append(json: name)
      text.append(UInt8(ascii: ":"))
      text.append(json: value)
    }
    return text.isEmpty ? Array("{}".utf8) : text + [UInt8(ascii: "}")]
  }
}

extension ConfigurationVariable {
  static let apiURL = ConfigurationVariable(
    "MARTLET_API_URL", meaning: "address of the API, http://127.0.0.1:8080/api or the login's when unset")
  static let apiToken = ConfigurationVariable(
    "MARTLET_API_TOKEN", isSecret: true, meaning: "token for the API, instead of the one of `martletctl login`")
}
