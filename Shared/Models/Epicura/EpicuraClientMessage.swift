/// What an app may send on `/ws` (the Epicura document's "Client Events", and SPEC, section 2).
package enum EpicuraClientMessage: Hashable, Sendable {
  /// `since` is the last event that the app has seen, if it named one.
  case subscribe(ApplianceID, since: EventID?)
  case unsubscribe(ApplianceID)
  /// `{"type":"ping"}`, for clients that cannot send ping frames.
  case ping
  /// `cooking:start`, `cooking:pause`, `cooking:resume`, `cooking:stop`; `data` is its text as it came, whatever it is. `requestID` is the app's own name for it
  /// (`request_id`).
  case command(EventType, ApplianceID, data: [UInt8], requestID: String?)
  /// Another token in place of the one that runs out: `{"type":"auth","token":"…"}`.
  case auth(token: String)

  /// The longest `request_id`, in bytes of UTF-8.
  package static let requestIDLengthMax_bytes = 128

  /// Reads one text frame. Throws what the client is to be told.
  package init(parsing frame: [UInt8]) throws(EpicuraRejection) {
    let object: JSONObject
    do { object = try JSONObject(parsing: frame) } catch {
      throw EpicuraRejection(.malformedMessage, "The message is not valid: \(error)")
    }
    guard let type = object.string("type") else {
      throw EpicuraRejection(.malformedMessage, "'type' is missing or no string")
    }
    switch type {
    case "ping": self = .ping
    case "subscribe": self = .subscribe(try Self.appliance(object), since: try Self.since(object))
    case "unsubscribe": self = .unsubscribe(try Self.appliance(object))
    case "cooking:start", "cooking:pause", "cooking:resume", "cooking:stop": self = try Self.command(type, object)
    case "auth":
      guard let token = object.string("token") else { throw EpicuraRejection(.malformedMessage, "'token' is missing or no string") }
      self = .auth(token: token)
    default:
      throw EpicuraRejection(
        .unknownType,
        "Unknown message type '\(type.prefix(EventType.lengthMax))'; known are subscribe, unsubscribe, ping, auth and cooking:start, pause, resume, stop"
      )
    }
  }

  private static func appliance(_ object: JSONObject) throws(EpicuraRejection) -> ApplianceID {
    guard let text = object.string("appliance_id") else {
      throw EpicuraRejection(.malformedMessage, "'appliance_id' is missing or no string")
    }
    do { return try ApplianceID(text) } catch { throw EpicuraRejection(.malformedMessage, error.description) }
  }

  private static func since(_ object: JSONObject) throws(EpicuraRejection) -> EventID? {
    guard object.contains("since") else { return nil }
    guard let id = object.string("since").flatMap(EventID.init) else {
      throw EpicuraRejection(.malformedMessage, "'since' must be the 'id' of an event")
    }
    return id
  }

  private static func command(_ text: String, _ object: JSONObject) throws(EpicuraRejection) -> Self {
    let appliance = try appliance(object)
    guard let type = try? EventType(text) else { throw EpicuraRejection(.unknownType, "Unknown message type '\(text)'") }
    let data = object.raw("data").map(Array.init) ?? Array("{}".utf8)
    return .command(type, appliance, data: data, requestID: try requestID(object, of: type))
  }

  /// A stop is not refused for what is beside it: a name that it cannot have is left out.
  private static func requestID(_ object: JSONObject, of type: EventType) throws(EpicuraRejection) -> String? {
    guard object.contains("request_id") else { return nil }
    if let id = object.string("request_id"), id.utf8.count <= requestIDLengthMax_bytes { return id }
    guard Command.isUrgent(type) else {
      throw EpicuraRejection(.malformedMessage, "'request_id' must be a string of at most \(requestIDLengthMax_bytes) bytes")
    }
    return nil
  }
}

/// Why a client's message was refused: what goes into an `error` frame.
package struct EpicuraRejection: Error, Hashable, Sendable {
  package enum Code: String, Hashable, Sendable {
    /// Not JSON, no `type`, or a member missing or of the wrong kind.
    case malformedMessage = "MALFORMED_MESSAGE"
    case unknownType = "UNKNOWN_TYPE"
    /// One answer for an appliance that does not exist and for one that is another's, so that nobody can probe.
    case applianceNotFound = "APPLIANCE_NOT_FOUND"
    case tooManySubscriptions = "TOO_MANY_SUBSCRIPTIONS"
    /// A neighbour is down; the same message may work in a moment.
    case temporarilyUnavailable = "TEMPORARILY_UNAVAILABLE"
    /// The token in `auth` does not take the place of the connection's own, which goes on counting.
    case authenticationFailed = "AUTHENTICATION_FAILED"
  }

  package let code: Code
  package let message: String
  package let applianceID: ApplianceID?

  package init(_ code: Code, _ message: String, _ applianceID: ApplianceID? = nil) {
    self.code = code
    self.message = message
    self.applianceID = applianceID
  }
}
