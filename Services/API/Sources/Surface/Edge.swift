import HTTPTypes
import Hummingbird
import Logging
import Metrics
import NIOCore
import PostgresClient
import Store

/// What surrounds every request: problems instead of thrown errors, security headers, origins, the figures.
struct Edge: RouterMiddleware {
  typealias Context = APIRequestContext

  /// Origins whose pages may use the API from a browser; none by default.
  let origins: Set<String>
  let logger: Logger

  func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
    let start = ContinuousClock.now
    let id = context.id
    var response: Response
    if let preflight = preflight(request) {
      response = preflight
    } else {
      do {
        response = try await next(request, context)
      } catch {
        response = problem(for: error, id: id).response
      }
    }
    if response.headers[.connection] == "close" { Self.closeAfterwards(&response, context.channel) }
    for (name, value) in Self.headers where response.headers[name] == nil { response.headers[name] = value }
    response.headers[.xRequestID] = id
    allowOrigin(of: request, in: &response)
    APIMetrics.record(operation: context.endpointPath, status: response.status.code, seconds: ContinuousClock.now - start)
    return response
  }

  /// No page, frame or cache makes anything of an answer.
  private static let headers: [(HTTPField.Name, String)] = [
    (.cacheControl, "no-store"), (.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'"),
    (.xContentTypeOptions, "nosniff"), (.referrerPolicy, "no-referrer"), (.xFrameOptions, "DENY"),
  ]

  private func problem(for error: any Error, id: String) -> Problem {
    switch error {
    case let problem as Problem: return problem
    case let error as HTTPError where error.status == .notFound: return Problem(.notFound)
    case let error as PostgresError where error.isTransient || error.code == .cancelled:
      logger.warning("a request failed: \(error)", metadata: ["request_id": "\(id)"])
      return .later(.unavailable, retryAfter_s: 5)
    case let error as StoreError where error.code == .notFound: return Problem(.userNotFound)
    case let error as StoreError where error.code == .alreadyExists: return Problem(.alreadyExists)
    case let error as StoreError where error.code == .inUse: return Problem(.stillInUse, error.description + ".")
    case let error as StoreError where error.code == .tooMany: return Problem(.limitReached, error.description + ".")
    case let error as StoreError where error.code == .invalidAccount: return Problem(.invalidBody, error.description + ".")
    case is HTTPError: return Problem(.malformedRequest)
    default:
      logger.error("a request failed: \(String(describing: error).prefix(500))", metadata: ["request_id": "\(id)"])
      return Problem(.internalError)
    }
  }

  /// Ends the connection once the answer is written: what is still coming is not worth reading.
  private static func closeAfterwards(_ response: inout Response, _ channel: any Channel) {
    let body = response.body
    response.body = ResponseBody(contentLength: body.contentLength) { writer in
      try await body.write(writer)
      channel.close(promise: nil)
    }
  }

  // MARK: Origins

  private func preflight(_ request: Request) -> Response? {
    guard request.method == .options, request.headers[.accessControlRequestMethod] != nil, !origins.isEmpty else { return nil }
    return Response(
      status: .noContent,
      headers: [
        .accessControlAllowMethods: "GET, HEAD, POST, PUT, PATCH, DELETE",
        .accessControlAllowHeaders: "Authorization, Content-Type, If-None-Match", .accessControlMaxAge: "600",
      ])
  }

  private func allowOrigin(of request: Request, in response: inout Response) {
    guard !origins.isEmpty else { return }
    response.headers[values: .vary].append("Origin")
    guard let origin = request.headers[.origin], origins.contains(origin) else {
      response.headers[.accessControlAllowMethods] = nil
      response.headers[.accessControlAllowHeaders] = nil
      return
    }
    response.headers[.accessControlAllowOrigin] = origin
    response.headers[.accessControlExposeHeaders] = "ETag, Location, Retry-After, X-Request-ID"
  }
}

extension HTTPField.Name {
  static let xRequestID = HTTPField.Name("X-Request-ID")!
  static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
  static let xFrameOptions = HTTPField.Name("X-Frame-Options")!
}
