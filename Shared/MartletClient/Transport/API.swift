internal import AsyncHTTPClient
internal import Models
internal import NIOCore
internal import NIOHTTP1

/// An answer of the API that is none of success: `code` for programs, `message` for people.
public struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The problem's (RFC 9457), such as `invalid_credentials`; `unreachable` and `not_understood` are this client's own.
  public let code: String
  /// A sentence for the person.
  public let message: String
  /// HTTP's; 0 when there was no answer.
  public let status: Int
  /// How long the API wants to be left alone.
  public let retryAfter: Duration

  init(code: String, message: String, status: Int = 0, retryAfter: Duration = .zero) {
    (self.code, self.message, self.status, self.retryAfter) = (code, message, status, retryAfter)
  }

  public var description: String { "\(message) (\(code))" }
}

/// Questions to the REST API, each with a deadline.
struct API: Sendable {
  private static let timeout = TimeAmount.seconds(10)
  /// 500 events of 16 KiB each.
  private static let answerBytesMax = 8 << 20

  private let endpoint: Endpoint
  private let token: MartletClient.TokenSource?

  init(_ endpoint: Endpoint, token: MartletClient.TokenSource?) { (self.endpoint, self.token) = (endpoint, token) }

  /// Asks, and once more with a new token when this one is refused.
  ///
  /// - Throws: `APIError`, and whatever the token source throws.
  func ask(_ method: HTTPMethod, _ path: String, query: KeyValuePairs<String, String> = [:], body: [UInt8]? = nil) async throws
    -> JSONObject
  {
    do {
      return try await exchange(method, path, query, body, token: token?(false))
    } catch let error as APIError where error.status == 401 && token != nil {
      return try await exchange(method, path, query, body, token: token?(true))
    }
  }

  private func exchange(
    _ method: HTTPMethod, _ path: String, _ query: KeyValuePairs<String, String>, _ body: [UInt8]?, token: String?
  ) async throws(APIError) -> JSONObject {
    let search = query.map { "\($0.key)=\(Endpoint.escaped($0.value))" }.joined(separator: "&")
    var request = HTTPClientRequest(url: endpoint.text + path + (search.isEmpty ? "" : "?\(search)"))
    request.method = method
    request.tlsConfiguration = endpoint.tls
    request.headers.add(name: "Accept", value: "application/json")
    if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(body)
    }
    let (response, bytes): (HTTPClientResponse, [UInt8])
    do {
      response = try await HTTPClient.shared.execute(request, timeout: Self.timeout)
      bytes = Array(try await response.body.collect(upTo: Self.answerBytesMax).readableBytesView)
    } catch {
      throw APIError(code: "unreachable", message: "The API does not answer. Is this device online?")
    }
    return try Self.read(response, bytes)
  }

  private static func read(_ response: HTTPClientResponse, _ bytes: [UInt8]) throws(APIError) -> JSONObject {
    let status = Int(response.status.code)
    let object = try? JSONObject(parsing: bytes)
    guard (200..<300).contains(status) else {
      throw APIError(
        code: object?.string("code") ?? "http_\(status)", message: object?.string("detail") ?? "The API answered \(status).",
        status: status,
        retryAfter: .seconds(response.headers.first(name: "Retry-After").flatMap { Int($0) } ?? 0))
    }
    guard let object else {
      throw APIError(code: "not_understood", message: "The API answered with something else than JSON.", status: status)
    }
    return object
  }
}
