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
  package var isUrgent: Bool { type.rawValue == "cooking:stop" || type.rawValue == "emergency_stop" }

  /// The payload on MQTT: `{"command_id","type","issued_at","expires_at","data"}`.
  package func encoded() -> [UInt8] {
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
