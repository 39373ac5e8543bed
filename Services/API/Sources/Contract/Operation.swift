import Access
import HTTPTypes
import Models

/// One thing that the API can do, as its document tells it. Requests are checked by it before a handler sees them.
struct Operation: Sendable {
  /// Who may ask.
  enum Admittance: Hashable, Sendable {
    case anyone
    case user
    case admin
    /// Someone with at least this permission for the appliance in the path. Whoever may not even see it is told that there is none.
    case appliance(Permission)
  }

  enum Group: String, Sendable, CaseIterable {
    case login = "Login"
    case users = "Users"
    case appliances = "Appliances"
    case history = "History"
    case commands = "Commands"
    case watches = "Cameras"
    case webhooks = "Webhooks"
    case controllers = "Lab controllers"
    case rules = "Rules and alarms"
    case audit = "Audit"
    case document = "This document"
  }

  struct Parameter: Sendable {
    let name: String
    let schema: Schema
    var isRequired = false
    let note: String
  }

  struct Body: Sendable {
    let schema: Schema
    var bytesMax = 16_384
    /// Whether a request may come without one, which counts as `{}`.
    var isOptional = false
  }

  struct Answer: Sendable {
    enum Content: Sendable {
      case none
      case json(Schema)
      /// As the client prefers.
      case jsonOrCSV(Schema)
      case page
      case openDocument
    }

    let status: HTTPResponse.Status
    let note: String
    var content = Content.none
    var hasLocation = false
    /// Whether a client that has it already is answered 304.
    var hasTag = false
  }

  let method: HTTPRequest.Method
  /// With parameters in braces: `/api/v1/users/{user_id}`.
  let path: String
  /// Unique; names the operation in metrics and in generated clients.
  let id: String
  let group: Group
  let summary: String
  var admittance = Admittance.user
  var query: [Parameter] = []
  var body: Body?
  let answer: Answer
  /// Those beyond what every operation of its kind can answer.
  var problems: [Problem.Code] = []

  /// The parameters in the path, in their order.
  var pathParameters: [Parameter] {
    path.split(separator: "/").filter { $0.hasPrefix("{") }.compactMap { Self.pathParameters[String($0.dropFirst().dropLast())] }
  }

  private static let pathParameters: [String: Parameter] = Dictionary(
    uniqueKeysWithValues: [
      Parameter(name: "appliance_id", schema: .applianceID, isRequired: true, note: "The appliance's id."),
      Parameter(name: "user_id", schema: .text(1...255), isRequired: true, note: "The user's id; `me` is the caller."),
      Parameter(name: "command_id", schema: .text(1...128), isRequired: true, note: "The command's id."),
      Parameter(name: "rule_id", schema: .text(1...64), isRequired: true, note: "The rule's id."),
      Parameter(name: "alarm_id", schema: .count, isRequired: true, note: "The alarm's number."),
      Parameter(name: "watch_id", schema: .opaque(1...64), isRequired: true, note: "The watch session's id."),
      Parameter(name: "webhook_id", schema: .text(1...64), isRequired: true, note: "The webhook's id."),
      Parameter(name: "delivery_id", schema: .count, isRequired: true, note: "The delivery's id."),
      Parameter(name: "session_id", schema: .text(1...255), isRequired: true, note: "The session's id, as the cooker named it."),
      Parameter(
        name: "sensor_id", schema: .text(1...64), isRequired: true, note: "The sensor's id: the event_public_id of its datapoints."),
      Parameter(name: "plugin_id", schema: .text(1...64), isRequired: true, note: "The plugin's id."),
      Parameter(name: "experiment_id", schema: .text(1...64), isRequired: true, note: "The experiment's id."),
    ].map { ($0.name, $0) })

  /// Every problem that this operation can answer.
  var allProblems: [Problem.Code] {
    var codes: Set<Problem.Code> = [.malformedRequest, .internalError, .unavailable]
    codes.formUnion(problems)
    if !query.isEmpty { codes.insert(.invalidParameter) }
    if query.contains(where: { $0.name == "cursor" }) { codes.insert(.invalidCursor) }
    if body != nil { codes.formUnion([.bodyTooLarge, .bodyTooSlow, .unsupportedMediaType, .invalidBody]) }
    if admittance != .anyone { codes.formUnion([.authenticationRequired, .invalidToken, .tokenRevoked, .accountGone]) }
    switch admittance {
    case .admin: codes.insert(.notPermitted)
    case .appliance(let permission):
      codes.insert(.applianceNotFound)
      if permission > .watch { codes.insert(.notPermitted) }
    case .anyone, .user: break
    }
    return Problem.Code.allCases.filter(codes.contains)
  }
}
