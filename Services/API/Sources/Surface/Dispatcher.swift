import Access
import HTTPTypes
import Hummingbird
import Models
import NIOCore
import PostgresClient
import TrustedProxies

/// What Hummingbird hands on with each request.
struct APIRequestContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let channel: any Channel

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }
}

/// Leads each request through the same checks, in the same order, to its route's handler: who asks, whether they may, and what they send.
struct Dispatcher: Sendable {
  let gate: AccessGate
  let trustedProxies: TrustedProxies
  let audit: RequestAudit
  let now: @Sendable () -> Timestamp

  func respond(to request: Request, _ context: APIRequestContext, by route: Route) async throws -> Response {
    let operation = route.operation
    // Names the request in the figures.
    context.coreContext.endpointPath.value = operation.id
    let (path, address) = (try Self.pathParameters(operation, context), clientAddress(request, context))
    var caller: Call.Caller?
    do {
      caller = operation.admittance == .anyone ? nil : try await self.caller(request)
      let permission = try await permission(of: caller, operation.admittance, path)
      let query = try Self.query(operation, request)
      let body = try await Self.body(operation, request)
      let call = Call(
        path: path, query: query, body: body, caller: caller, permission: permission, clientAddress: address, headers: request.headers,
        channel: context.channel, now: now())
      return try await PostgresPool.$caller.withValue(RequestAudit.caller(caller, operation.method, from: address)) {
        try await route.handle(call)
      }
    } catch let problem as Problem {
      audit.refused(problem, operation, path, by: caller, from: address)
      throw problem
    }
  }

  private func caller(_ request: Request) async throws(Problem) -> Call.Caller {
    switch await gate.admit(Self.bearerToken(request)) {
    case .admitted(let principal):
      guard let role = await gate.role(of: principal) else { throw .later(.unavailable, retryAfter_s: 5) }
      return Call.Caller(principal: principal, role: role)
    case .refused(let error):
      let challenge = error == .authenticationRequired ? "Bearer" : "Bearer error=\"invalid_token\""
      throw Problem(Problem.Code(error), headers: [.wwwAuthenticate: challenge])
    case .unavailable: throw .later(.unavailable, retryAfter_s: 5)
    }
  }

  private func permission(
    of caller: Call.Caller?, _ admittance: Operation.Admittance, _ path: [String: String]
  ) async throws(Problem) -> Permission? {
    guard let caller else { return nil }
    switch admittance {
    case .anyone, .user: return nil
    case .admin:
      guard caller.isAdmin else { throw Problem(.notPermitted, "This is for users with the role admin.") }
      return nil
    case .appliance(let needed):
      // A text that is no id is no appliance either.
      guard let appliance = try? ApplianceID(path["appliance_id"] ?? "") else { throw Problem(.applianceNotFound) }
      switch await gate.permission(of: caller.principal, on: appliance) {
      case .granted(let permission):
        guard permission >= needed else { throw Problem(.notPermitted, "The caller may see this appliance but not do this with it.") }
        return permission
      case .refused: throw Problem(.applianceNotFound)
      case .unavailable: throw .later(.unavailable, retryAfter_s: 5)
      }
    }
  }

  private func clientAddress(_ request: Request, _ context: APIRequestContext) -> String {
    trustedProxies.client(
      peer: context.channel.remoteAddress?.ipAddress ?? "", forwardedFor: request.headers[values: .xForwardedFor])
  }

  /// The token of `Authorization: Bearer …`; nil when there is none.
  private static func bearerToken(_ request: Request) -> String? {
    let fields = request.headers[values: .authorization]
    guard fields.count == 1 else { return nil }
    let parts = fields[0].split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return String(parts[1])
  }

  private static func pathParameters(_ operation: Operation, _ context: APIRequestContext) throws(Problem) -> [String: String] {
    var values: [String: String] = [:]
    for parameter in operation.pathParameters {
      guard let text = context.parameters.get(parameter.name), let value = QueryText.decode(text, plusIsSpace: false) else {
        throw Problem(.malformedRequest, "The path is not percent-encoded UTF-8.")
      }
      values[parameter.name] = value
    }
    return values
  }

  private static func query(_ operation: Operation, _ request: Request) throws(Problem) -> [String: String] {
    let values = try QueryText.parse(request.uri.query)
    var violations: [Violation] = []
    for name in values.keys.sorted() where !operation.query.contains(where: { $0.name == name }) {
      let known = operation.query.map(\.name).joined(separator: ", ")
      violations.append(
        Violation(place: String(name.prefix(80)), detail: known.isEmpty ? "is not known: none is" : "is not known; known are \(known)"))
    }
    for parameter in operation.query {
      if let value = values[parameter.name] {
        if !parameter.schema.accepts(value) {
          violations.append(Violation(place: parameter.name, detail: "must be \(parameter.schema.words)"))
        }
      } else if parameter.isRequired {
        violations.append(Violation(place: parameter.name, detail: "is missing: \(parameter.schema.words) is wanted"))
      }
    }
    guard violations.isEmpty else { throw Problem(.invalidParameter, violations: violations) }
    return values
  }

  private static func body(_ operation: Operation, _ request: Request) async throws -> JSONObject {
    guard let body = operation.body else { return try JSONObject(parsing: Array("{}".utf8)) }
    let object = try await RequestBodyReader.object(request, body)
    let violations = body.schema.violations(of: object)
    guard violations.isEmpty else { throw Problem(.invalidBody, violations: violations) }
    return object
  }
}

extension Problem.Code {
  /// How the REST API tells what a WebSocket is told by a close text.
  init(_ error: AccessError) {
    switch error {
    case .authenticationRequired: self = .authenticationRequired
    case .invalidOrExpiredToken: self = .invalidToken
    case .tokenRevoked: self = .tokenRevoked
    case .userNotFound: self = .accountGone
    }
  }
}

extension HTTPField.Name {
  static let xForwardedFor = HTTPField.Name("X-Forwarded-For")!
}
