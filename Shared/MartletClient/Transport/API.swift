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

  /// Whether the same question may be answered in a moment: there was no answer, or the fault is on the other side.
  var isPassing: Bool { code == Self.unreachable || status >= 500 }

  static let unreachable = "unreachable"
}

/// Questions to the REST API, each with a deadline.
struct API: Sendable {
  private static let timeout = TimeAmount.seconds(10)
  private static let urgentTimeout = TimeAmount.seconds(3)
  /// 500 events of 16 KiB each.
  private static let answerBytesMax = 8 << 20

  /// A kept connection may be gone without a word; what is urgent never goes by one.
  private static let newConnections: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.maximumUsesPerConnection = 1
    // Many questions share a connection of HTTP/2.
    configuration.httpVersion = .http1Only
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  private let endpoint: Endpoint
  private let token: MartletClient.TokenSource?

  init(_ endpoint: Endpoint, token: MartletClient.TokenSource?) { (self.endpoint, self.token) = (endpoint, token) }

  /// Asks, and once more with a new token when this one is refused.
  ///
  /// - Parameter isUrgent: asks by a connection of its own, and waits for the answer only shortly.
  /// - Throws: `APIError`, and whatever the token source throws.
  func ask(
    _ method: HTTPMethod, _ path: String, query: KeyValuePairs<String, String> = [:], body: [UInt8]? = nil, isUrgent: Bool = false
  ) async throws -> JSONObject {
    let request = request(method, path, query, body)
    do {
      return try await exchange(request, token: token?(false), isUrgent: isUrgent)
    } catch let error as APIError where error.status == 401 && token != nil {
      return try await exchange(request, token: token?(true), isUrgent: isUrgent)
    }
  }

  private func request(
    _ method: HTTPMethod, _ path: String, _ query: KeyValuePairs<String, String>, _ body: [UInt8]?
  ) -> HTTPClientRequest {
    let search = query.map { "\($0.key)=\(Endpoint.escaped($0.value))" }.joined(separator: "&")
    var request = HTTPClientRequest(url: endpoint.text + path + (search.isEmpty ? "" : "?\(search)"))
    request.method = method
    request.tlsConfiguration = endpoint.tls
    request.headers.add(name: "Accept", value: "application/json")
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(body)
    }
    return request
  }

  private func exchange(_ request: HTTPClientRequest, token: String?, isUrgent: Bool) async throws(APIError) -> JSONObject {
    var request = request
    if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
    let (client, timeout) = isUrgent ? (Self.newConnections, Self.urgentTimeout) : (HTTPClient.shared, Self.timeout)
    let (response, bytes): (HTTPClientResponse, [UInt8])
    do {
      response = try await client.execute(request, timeout: timeout)
      bytes = Array(try await response.body.collect(upTo: Self.answerBytesMax).readableBytesView)
    } catch {
      throw APIError(code: APIError.unreachable, message: "The API does not answer. Is this device online?")
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
