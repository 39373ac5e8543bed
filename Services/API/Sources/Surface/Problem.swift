import HTTPTypes
import Hummingbird
import Models
import NIOCore

/// Why a request was not served, as RFC 9457 has it: `{"type","title","status","code","detail"}`, and `errors` where there are several places to name.
struct Problem: Error, Sendable {
  /// What a program goes by; it stays the same for ever. `/api/docs` explains each.
  enum Code: String, Sendable, CaseIterable {
    case malformedRequest = "malformed_request"
    case invalidParameter = "invalid_parameter"
    case invalidCursor = "invalid_cursor"
    case authenticationRequired = "authentication_required"
    case invalidToken = "invalid_token"
    case tokenRevoked = "token_revoked"
    case accountGone = "account_gone"
    case invalidCredentials = "invalid_credentials"
    case invalidRefreshToken = "invalid_refresh_token"
    case notPermitted = "not_permitted"
    case notFound = "not_found"
    case applianceNotFound = "appliance_not_found"
    case userNotFound = "user_not_found"
    case shareNotFound = "share_not_found"
    case commandNotFound = "command_not_found"
    case sessionNotFound = "session_not_found"
    case presenceNotFound = "presence_not_found"
    case webhookNotFound = "webhook_not_found"
    case deliveryNotFound = "delivery_not_found"
    case sensorNotFound = "sensor_not_found"
    case pluginNotFound = "plugin_not_found"
    case experimentNotFound = "experiment_not_found"
    case wrongDialect = "wrong_dialect"
    case ruleNotFound = "rule_not_found"
    case alarmNotFound = "alarm_not_found"
    case methodNotAllowed = "method_not_allowed"
    case notAcceptable = "not_acceptable"
    case alreadyExists = "already_exists"
    case stillInUse = "still_in_use"
    case webhookDisabled = "webhook_disabled"
    case limitReached = "limit_reached"
    case bodyTooLarge = "body_too_large"
    case bodyTooSlow = "body_too_slow"
    case unsupportedMediaType = "unsupported_media_type"
    case invalidBody = "invalid_body"
    case invalidCommand = "invalid_command"
    case tooManyAttempts = "too_many_attempts"
    case tooManyRequests = "too_many_requests"
    case internalError = "internal_error"
    case unavailable
  }

  let code: Code
  /// A sentence about this occurrence: what is wrong and what would help. Never a secret.
  let detail: String
  var violations: [Violation] = []
  var headers: HTTPFields = [:]

  init(_ code: Code, _ detail: String? = nil, violations: [Violation] = [], headers: HTTPFields = [:]) {
    self.code = code
    self.detail = detail ?? code.meaning
    self.violations = violations
    self.headers = headers
  }

  /// One that may be gone when the request is sent again after so many seconds.
  static func later(_ code: Code, _ detail: String? = nil, retryAfter_s: Int) -> Problem {
    Problem(code, detail, headers: [.retryAfter: String(max(1, retryAfter_s))])
  }

  var json: JSONValue {
    var members: [(String, JSONValue)] = [
      ("type", .text("/api/docs#\(code.rawValue)")), ("title", .text(code.title)), ("status", .integer(Int64(code.status.code))),
      ("code", .text(code.rawValue)), ("detail", .text(detail)),
    ]
    if !violations.isEmpty {
      members.append(("errors", .list(violations.map { ["place": .text($0.place), "detail": .text($0.detail)] })))
    }
    return .object(members)
  }

  var response: Response {
    var headers = headers
    headers[.contentType] = "application/problem+json"
    return Response(status: code.status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.encoded)))
  }

  static let schema = Schema.named(
    "Problem",
    .openObject([
      .required("type", .text(1...200), "A stable reference to the problem's explanation."),
      .required("title", .text(1...200)), .required("status", .integer(400...599)),
      .required("code", .word(Code.allCases.map(\.rawValue)), "What a program goes by."),
      .required("detail", .text(1...1000), "What is wrong with this request and what would help."),
      .optional(
        "errors",
        .list(.object([.required("place", .text(0...200), "A JSON pointer or a parameter."), .required("detail", .text(1...500))]))),
    ]))
}
