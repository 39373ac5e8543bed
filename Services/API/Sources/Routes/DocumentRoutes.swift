import Digests
import FoundationEssentials
import HTTPTypes
import Hummingbird

/// The description of all that, for programs and for people. Both are made once.
struct DocumentRoutes: Sendable {
  private static let operations = [
    Operation(
      method: .get, path: "/api/openapi.json", id: "getOpenAPI", group: .document, summary: "This API as OpenAPI 3.1.", admittance: .anyone,
      answer: .init(status: .ok, note: "The document.", content: .openDocument, hasTag: true)),
    Operation(
      method: .get, path: "/api/docs", id: "getDocs", group: .document, summary: "This API as a page for people.", admittance: .anyone,
      answer: .init(status: .ok, note: "The page.", content: .page, hasTag: true)),
  ]

  let routes: [Route]

  /// - Parameter others: all other operations.
  init(of others: [Operation]) {
    let all = others + Self.operations
    let document = Self.answer(OpenAPIDocument(operations: all).json.encoded, "application/json", headers: [:])
    let style = Data(Digests.sha256(Array(DocumentationPage.style.utf8))).base64EncodedString()
    let page = Self.answer(
      Array(DocumentationPage(operations: all).html.utf8), "text/html; charset=utf-8",
      headers: [.contentSecurityPolicy: "default-src 'none'; style-src 'sha256-\(style)'; frame-ancestors 'none'; base-uri 'none'"])
    routes = zip(Self.operations, [document, page]).map { Route($0, $1) }
  }

  /// Both may be kept, if the next request asks whether they are still so.
  private static func answer(_ bytes: [UInt8], _ contentType: String, headers: HTTPFields) -> Route.Handler {
    let body = TaggedBody(bytes)
    var headers = headers
    headers[.contentType] = contentType
    return { [headers] call in body.response(to: call, headers: headers) }
  }
}
