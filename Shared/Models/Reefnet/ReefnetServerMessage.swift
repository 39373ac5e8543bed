/// What the server itself says on `/ws/reefnet`. Frames of modules go to UIs as they came.
package enum ReefnetServerMessage: Hashable, Sendable {
  /// What became of a UI's control: `{"protocol","module_id","type":"command_ack","sent_at","request_id","command_id","command","status"}`, `request_id` where the control had one, `status` one of
  /// `sent`, `acknowledged` and `failed`, the last with `code` and `message` (SPEC, section 4).
  case commandAck(ReefnetCommandAck)
  /// `{"protocol","type":"token:expiring","sent_at","payload":{"expires_at"}}`: the connection ends then, unless the client sends `auth` with another token.
  case tokenExpiring(Timestamp, expiresAt: Timestamp)
  /// The same with `authenticated`: the token in `auth` counts from now on.
  case authenticated(Timestamp, expiresAt: Timestamp)

  package func encoded() -> [UInt8] {
    switch self {
    case .commandAck(let ack): return ack.encoded()
    case .tokenExpiring(let now, let end): return Self.encode("token:expiring", now, end)
    case .authenticated(let now, let end): return Self.encode("authenticated", now, end)
    }
  }

  private static func encode(_ type: String, _ now: Timestamp, _ end: Timestamp) -> [UInt8] {
    var text = begin()
    text += Array(",\"type\":\"\(type)\",\"sent_at\":\"\(now.iso8601)\",\"payload\":{\"expires_at\":\"\(end.iso8601)\"}}".utf8)
    return text
  }

  fileprivate static func begin() -> [UInt8] {
    var text: [UInt8] = []
    text.append("{\"protocol\":")
    text.append(json: ReefnetFrame.protocolVersion)
    return text
  }

  /// An `alarm` frame that tells that a user has acknowledged the alarm: beside the document's members its `payload` has `acknowledged_by` and `acknowledged_at`.
  /// It is as `active` as the alarm is, and of severity `info` where that is over.
  ///
  /// - Parameter event: an `alarm:acknowledged` of the bus. Nil for any other, and for an alarm that no module raised.
  package static func acknowledgedAlarm(_ event: Event) -> [UInt8]? {
    guard event.type == .alarmAcknowledged, let data = try? JSONObject(parsing: event.data), let source = data.string("source"),
      source.hasPrefix("code:"), let user = data.string("acknowledged_by")
    else { return nil }
    // `code:<code>`, or `code:<code>@<submodule_id>`.
    let parts = source.dropFirst(5).split(separator: "@", maxSplits: 1).map(String.init)
    guard let code = parts.first else { return nil }
    let isActive = data.string("state") != "cleared"
    let severity = isActive ? data.string("severity") ?? ReefnetAlarm.Severity.warning.rawValue : ReefnetAlarm.Severity.info.rawValue
    var text = begin()
    text.append(",\"module_id\":")
    text.append(json: event.applianceID.rawValue)
    text.append(",\"submodule_id\":")
    text.append(json: parts.count > 1 ? parts[1] : event.applianceID.rawValue)
    text.append(",\"type\":\"alarm\",\"sent_at\":")
    text.append(json: event.timestamp.iso8601)
    text.append(",\"payload\":{\"severity\":")
    text.append(json: severity)
    text.append(",\"code\":")
    text.append(json: code)
    text.append(",\"message\":")
    text.append(json: data.string("name") ?? code)
    text.append(",\"category\":")
    text.append(json: code.hasPrefix("safety.") ? "safety" : "sensors")
    text.append(isActive ? ",\"active\":true" : ",\"active\":false")
    text.append(",\"meta\":{},\"acknowledged_by\":")
    text.append(json: user)
    text.append(",\"acknowledged_at\":")
    text.append(json: event.timestamp.iso8601)
    text.append("}}")
    return text
  }
}

/// A step in the life of a UI's control.
package struct ReefnetCommandAck: Hashable, Sendable {
  package enum Status: Hashable, Sendable {
    case sent, acknowledged
    /// With a code for programs and a sentence for people.
    case failed(code: String, message: String)

    /// What an event of a command's life tells; nil for `command:requested`, and for any other event.
    package init?(_ event: Event) {
      switch event.type {
      case .commandSent: self = .sent
      case .commandAcknowledged: self = .acknowledged
      case .commandFailed:
        let data = try? JSONObject(parsing: event.data)
        self = .failed(code: data?.string("code") ?? "", message: data?.string("message") ?? "")
      default: return nil
      }
    }

    /// Whether nothing follows.
    package var isOutcome: Bool { self != .sent }
  }

  package let moduleID: ApplianceID
  package let requestID: String?
  package let commandID: String
  package let command: ReefnetCommand
  package let status: Status
  package let sentAt: Timestamp

  package init(
    moduleID: ApplianceID, requestID: String?, commandID: String, command: ReefnetCommand, status: Status, sentAt: Timestamp
  ) {
    self.moduleID = moduleID
    self.requestID = requestID
    self.commandID = commandID
    self.command = command
    self.status = status
    self.sentAt = sentAt
  }

  fileprivate func encoded() -> [UInt8] {
    var text = ReefnetServerMessage.begin()
    text.append(",\"module_id\":")
    text.append(json: moduleID.rawValue)
    text.append(",\"type\":\"command_ack\",\"sent_at\":")
    text.append(json: sentAt.iso8601)
    if let requestID {
      text.append(",\"request_id\":")
      text.append(json: requestID)
    }
    text.append(",\"command_id\":")
    text.append(json: commandID)
    text.append(",\"command\":")
    text.append(json: command.rawValue)
    text.append(",\"status\":")
    switch status {
    case .sent: text.append(json: "sent")
    case .acknowledged: text.append(json: "acknowledged")
    case .failed(let code, let message):
      text.append(json: "failed")
      text.append(",\"code\":")
      text.append(json: code)
      text.append(",\"message\":")
      text.append(json: message)
    }
    text.append(UInt8(ascii: "}"))
    return text
  }
}
