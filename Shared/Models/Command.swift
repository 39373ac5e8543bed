/// An order to one appliance, with a deadline past which it is never delivered (SPEC, section 4).
package struct Command: Hashable, Sendable {
  package let id: String
  package let applianceID: ApplianceID
  package let type: EventType
  package let issuedAt: Timestamp
  package let expiresAt: Timestamp
  /// A JSON object, as its text.
  package let data: [UInt8]

  package init(
    id: String, applianceID: ApplianceID, type: EventType, issuedAt: Timestamp, expiresAt: Timestamp, data: [UInt8] = Array("{}".utf8)
  ) {
    self.id = id
    self.applianceID = applianceID
    self.type = type
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.data = data
  }

  /// A stop overtakes everything that is queued (SPEC, section 1).
  package var isUrgent: Bool { Self.isUrgent(type) }

  package static func isUrgent(_ type: EventType) -> Bool { type.rawValue == "cooking:stop" || type == .emergencyStop }

  /// Where its device listens on MQTT: its dialect's topic, or `martlet/<appliance_id>/commands/<type>`.
  package var topic: String {
    EpicuraTopic.topic(ofCommand: type, appliance: applianceID) ?? ReefnetTopic.topic(ofCommand: type, module: applianceID)
      ?? OHT50Topic.topic(ofCommand: type, robot: applianceID) ?? "martlet/\(applianceID)/commands/\(type)"
  }

  /// The payload on MQTT: `{"command_id","type","issued_at","expires_at","data"}`; for a heater module its dialect's `control` frame.
  package func encoded() -> [UInt8] {
    if let frame = ReefnetCommand.frame(of: self) { return frame }
    var text: [UInt8] = []
    text.append("{\"command_id\":")
    text.append(json: id)
    text.append(",\"type\":")
    text.append(json: type.rawValue)
    text.append(",\"issued_at\":")
    text.append(json: issuedAt.iso8601)
    text.append(",\"expires_at\":")
    text.append(json: expiresAt.iso8601)
    text.append(",\"data\":")
    text += data
    text.append(UInt8(ascii: "}"))
    return text
  }
}

extension Command {
  /// The command in its `command:requested`; nil for any other event, and for one that is not whole.
  package init?(requestedBy event: Event) {
    guard event.type == .commandRequested, let request = try? JSONObject(parsing: event.data), let id = request.string("command_id"),
      let type = request.string("type").flatMap({ try? EventType($0) }),
      let expiresAt = request.string("expires_at").flatMap(Timestamp.init(iso8601:))
    else { return nil }
    self.init(
      id: id, applianceID: event.applianceID, type: type, issuedAt: event.timestamp, expiresAt: expiresAt,
      data: request.object("data")?.bytes ?? Array("{}".utf8))
  }

  /// `command:requested`, with `data` `{"command_id","type","expires_at","user_id","request_id","data"}`; `request_id` is the client's own name for it, if it gave one.
  package func requested(by userID: String, requestID: String?) -> Event {
    var text: [UInt8] = []
    text.append("{\"command_id\":")
    text.append(json: id)
    text.append(",\"type\":")
    text.append(json: type.rawValue)
    text.append(",\"expires_at\":")
    text.append(json: expiresAt.iso8601)
    text.append(",\"user_id\":")
    text.append(json: userID)
    if let requestID {
      text.append(",\"request_id\":")
      text.append(json: requestID)
    }
    text.append(",\"data\":")
    text += data
    text.append(UInt8(ascii: "}"))
    return Event(type: .commandRequested, applianceID: applianceID, timestamp: issuedAt, data: text)
  }
}
