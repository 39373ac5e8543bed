import AuditTrail
import HTTPTypes
import Models
import Store

/// What the audit log is to tell of requests (deploy/decisions/0026). Changes are noted by the database, in their own transaction, in the name that `caller` gives.
struct RequestAudit: Sendable {
  let trail: AuditTrail

  /// On whose behalf a request changes something, as `PostgresPool.caller`; nil for one that changes nothing. The methods of a request say so.
  static func caller(_ caller: Call.Caller?, _ method: HTTPRequest.Method, from address: String) -> String? {
    guard method != .get, method != .head, let caller else { return nil }
    var text = Array("{\"service\":\"api\",\"user_id\":".utf8)
    text.append(json: caller.id)
    text += Array(",\"address\":".utf8)
    text.append(json: address)
    text += Array("}".utf8)
    return String(decoding: text, as: UTF8.self)
  }

  /// Notes a refusal. What is only wrong, or missing, is none.
  func refused(_ problem: Problem, _ operation: Operation, _ path: [String: String], by caller: Call.Caller?, from address: String) {
    let action: AuditEntry.Action
    switch problem.code {
    case .authenticationRequired, .invalidToken, .tokenRevoked, .accountGone, .invalidRefreshToken: action = .authentication
    case .notPermitted: action = .request
    default: return
    }
    trail.note(
      action, .refused, userID: caller?.id, applianceID: path["appliance_id"], address: address,
      detail: "\(operation.id): \(problem.code.rawValue)")
  }

  /// - Parameter problem: why not; nil when the user is in.
  func loggedIn(_ userID: String, _ problem: Problem?, from address: String) {
    trail.note(
      .login, problem == nil ? .done : .refused, userID: userID, address: address, detail: problem.map(\.code.rawValue) ?? "")
  }

  /// - Parameter commandID: nil for a command that was not taken in.
  func commanded(
    _ type: EventType, of appliance: ApplianceID, by userID: String, commandID: String?, refusal: String? = nil, from address: String
  ) {
    trail.note(
      .commandRequested, refusal == nil ? .done : .refused, userID: userID, applianceID: appliance.rawValue, commandID: commandID,
      address: address, detail: refusal.map { "\(type): \($0)" } ?? type.rawValue)
  }

  /// Somebody has asked for the end of a watch session, their own or, if they may, another's.
  func endedWatch(_ watch: WatchRecord, by userID: String, from address: String) {
    trail.note(
      .subscriptionEnded, .done, userID: userID, applianceID: watch.device.rawValue, address: address,
      detail: watch.userID == userID ? "watch session \(watch.id)" : "watch session \(watch.id) of \(watch.userID)")
  }

  /// The session is another's, and none that the caller may know of.
  func refusedWatch(_ watch: WatchRecord, to userID: String, from address: String) {
    trail.note(
      .request, .refused, userID: userID, applianceID: watch.device.rawValue, address: address,
      detail: "watch session \(watch.id): another user's")
  }
}
