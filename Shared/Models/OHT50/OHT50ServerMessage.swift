/// What the server says to a console besides events, each encoded as one text frame's payload (the OHT-50 document, sections 2.2 and 7; SPEC, sections 2 to 4).
package enum OHT50ServerMessage: Hashable, Sendable {
  /// `{"type":"authenticated","timestamp","expires_at","client_id"}`: the token counts from now on. `client_id` as the client named itself.
  case authenticated(expiresAt: Timestamp, clientID: String?)
  /// `{"type":"token.expiring","timestamp","expires_at"}`: the connection ends then, unless the client sends `auth` with another token.
  case tokenExpiring(expiresAt: Timestamp)
  /// `{"type":"subscribed","timestamp","events":[…],"rate":10,"appliance_id"}`, `rate` and `appliance_id` as they were asked for; to a client that named the last event it saw, with
  /// `recovered`: whether all that it missed is going to follow.
  case subscribed(OHT50Subscription, recovered: Bool?)
  /// `{"type":"unsubscribed","timestamp","events":[…],"appliance_id"}`
  case unsubscribed([OHT50Pattern], ApplianceID?)
  /// The document's `telemetry.status`, with the `appliance_id` of the robot that it is of; nil where the client gets none's.
  case telemetryStatus(OHT50TelemetryStatus, ApplianceID?)
  /// A robot's last `system.status`, with the `request_id` that asked for it.
  case systemStatus(Event, requestID: String?)
  /// What becomes of a command.
  case commandAck(OHT50CommandAck)
  /// `{"type":"pong"}`
  case pong
  /// `{"type":"error","error_code","error_name","description","timestamp"}`
  case error(OHT50Refusal)

  package func encoded(at now: Timestamp) -> [UInt8] {
    var text: [UInt8] = []
    switch self {
    case .authenticated(let expiresAt, let clientID):
      Self.tell("{\"type\":\"authenticated\"", expiresAt, now, &text)
      Self.append(",\"client_id\":", clientID, &text)
    case .tokenExpiring(let expiresAt): Self.tell("{\"type\":\"token.expiring\"", expiresAt, now, &text)
    case .subscribed(let subscription, let recovered):
      Self.begin("{\"type\":\"subscribed\"", now, &text)
      Self.append(subscription.patterns, subscription.applianceID, &text)
      if let rate = subscription.rate_hz {
        text.append(",\"rate\":")
        text.append(number: rate)
      }
      if let recovered { text.append(recovered ? ",\"recovered\":true" : ",\"recovered\":false") }
    case .unsubscribed(let patterns, let appliance):
      Self.begin("{\"type\":\"unsubscribed\"", now, &text)
      Self.append(patterns, appliance, &text)
    case .telemetryStatus(let status, let robot):
      Self.begin("{\"type\":\"telemetry.status\"", now, &text)
      Self.append(",\"appliance_id\":", robot?.rawValue, &text)
      text.append(",\"data\":")
      text += status.encoded()
    case .systemStatus(var event, let requestID):
      if let requestID {
        event.extras.append(",\"request_id\":")
        event.extras.append(json: requestID)
      }
      return event.encoded()
    case .commandAck(let ack):
      Self.begin("{\"type\":\"command_ack\"", now, &text)
      ack.append(to: &text)
    case .pong: text.append("{\"type\":\"pong\"")
    case .error(let refusal):
      text.append("{\"type\":\"error\",\"error_code\":")
      text.append(json: refusal.code.rawValue)
      text.append(",\"error_name\":")
      text.append(json: refusal.code.name)
      text.append(",\"description\":")
      text.append(json: refusal.description)
      text.append(",\"timestamp\":")
      text.append(json: now.iso8601)
    }
    text.append(UInt8(ascii: "}"))
    return text
  }

  private static func begin(_ start: StaticString, _ now: Timestamp, _ text: inout [UInt8]) {
    text.append(start)
    text.append(",\"timestamp\":")
    text.append(json: now.iso8601)
  }

  private static func tell(_ start: StaticString, _ expiresAt: Timestamp, _ now: Timestamp, _ text: inout [UInt8]) {
    begin(start, now, &text)
    text.append(",\"expires_at\":")
    text.append(json: expiresAt.iso8601)
  }

  private static func append(_ patterns: [OHT50Pattern], _ appliance: ApplianceID?, _ text: inout [UInt8]) {
    text.append(",\"events\":[")
    for (index, pattern) in patterns.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      text.append(json: pattern.description)
    }
    text.append(UInt8(ascii: "]"))
    append(",\"appliance_id\":", appliance?.rawValue, &text)
  }

  /// A member that may be missing, with its name and the comma before it.
  static func append(_ name: StaticString, _ value: String?, _ text: inout [UInt8]) {
    guard let value else { return }
    text.append(name)
    text.append(json: value)
  }
}

/// The `data` of a `telemetry.status`: what telemetry the client gets.
package struct OHT50TelemetryStatus: Hashable, Sendable {
  package let isStreaming: Bool
  package let rate_hz: Double
  package let connectedClients: Int
  /// Of the last telemetry; nil before the first.
  package let lastUpdate: Timestamp?

  package init(isStreaming: Bool, rate_hz: Double, connectedClients: Int, lastUpdate: Timestamp?) {
    self.isStreaming = isStreaming
    self.rate_hz = rate_hz
    self.connectedClients = connectedClients
    self.lastUpdate = lastUpdate
  }

  fileprivate func encoded() -> [UInt8] {
    var text: [UInt8] = []
    text.append(isStreaming ? "{\"streaming\":true,\"rate\":" : "{\"streaming\":false,\"rate\":")
    text.append(number: rate_hz)
    text.append(",\"connected_clients\":")
    text += String(connectedClients).utf8
    if let lastUpdate {
      text.append(",\"last_update\":")
      text.append(json: lastUpdate.iso8601)
    }
    text.append(UInt8(ascii: "}"))
    return text
  }
}

/// Why a console's message, or the console itself, is refused: what the `error` frame says (the document, section 7).
package struct OHT50Refusal: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Code: String, Hashable, Sendable {
    case authenticationFailed = "WS-001"
    /// Also for what is no message of the document at all: it has no other code for that.
    case invalidEventType = "WS-002"
    case rateLimitExceeded = "WS-003"

    package var name: String {
      switch self {
      case .authenticationFailed: "Authentication Failed"
      case .invalidEventType: "Invalid Event Type"
      case .rateLimitExceeded: "Rate Limit Exceeded"
      }
    }
  }

  package let code: Code
  package let description: String
  /// The robot that it is about, which the document's error has no place for.
  package let applianceID: ApplianceID?

  /// The document's own texts.
  package static let authenticationFailed = OHT50Refusal(code: .authenticationFailed, description: "Invalid or expired token")
  package static let tooManyEvents = OHT50Refusal(code: .rateLimitExceeded, description: "Too many events per second")
  package static func unknownEventType(_ text: String) -> OHT50Refusal {
    OHT50Refusal(code: .invalidEventType, description: "Unknown event type: \(text.prefix(EventType.lengthMax))")
  }

  package init(code: Code, description: String, of appliance: ApplianceID? = nil) {
    (self.code, self.description, applianceID) = (code, description, appliance)
  }

  static func invalidMessage(_ reason: String) -> OHT50Refusal { OHT50Refusal(code: .invalidEventType, description: reason) }
  static let invalidRate = OHT50Refusal(code: .rateLimitExceeded, description: "'rate' must be 0.01 to 1000 events per second")
}
