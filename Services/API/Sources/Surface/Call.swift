import Access
import HTTPTypes
import Hummingbird
import Models
import NIOCore

/// A request that was checked by its operation's description: what a handler works with.
struct Call: Sendable {
  /// Who asks.
  struct Caller: Sendable {
    let principal: Principal
    let role: UserRole

    var id: String { principal.subject }
    var isAdmin: Bool { role == .admin }
  }

  /// By name, decoded and checked.
  let path: [String: String]
  let query: [String: String]
  /// The body, `{}` where there is none.
  let body: JSONObject
  /// Nil where anyone may ask.
  let caller: Caller?
  /// What the caller may do with the appliance in the path.
  let permission: Permission?
  /// The network address that the request came from, as far as it can be believed.
  let clientAddress: String
  let headers: HTTPFields
  let channel: any Channel
  let now: Timestamp

  /// The caller of an operation that wants one.
  func user() throws(Problem) -> Caller {
    guard let caller else { throw Problem(.authenticationRequired) }
    return caller
  }

  /// The appliance in the path.
  func appliance() throws(Problem) -> ApplianceID {
    do { return try ApplianceID(path["appliance_id"] ?? "") } catch { throw Problem(.applianceNotFound) }
  }

  func integer(_ name: String, default value: Int) -> Int { query[name].flatMap { Int($0) } ?? value }

  func moment(_ name: String) -> Timestamp? { query[name].flatMap { Timestamp(iso8601: $0) } }
}

extension Response {
  static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
    var headers = headers
    headers[.contentType] = "application/json"
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.encoded)))
  }

  static var noContent: Response { Response(status: .noContent) }
}
