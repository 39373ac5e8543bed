/// What happened at one appliance: the envelope that every part of Martlet speaks (SPEC, section 1, and the Epicura document's
/// "Event Format").
///
/// On the bus it is UTF-8 JSON with `type` first:
/// `{"type":"cooking:progress","appliance_id":"EPIC-001","timestamp":"2026-02-14T12:35:00Z","data":{…},"id":"1771072500000-0"}`.
/// `data` is kept as the device wrote it, byte for byte, and so are members of the envelope that nobody here knows.
package struct Event: Hashable, Sendable {
  package var type: EventType
  package var applianceID: ApplianceID
  /// The device's own time where it sent one, else the time of receipt.
  package var timestamp: Timestamp
  /// A JSON object, as its text.
  package var data: [UInt8]
  /// Unknown members of the envelope as their text, each with a comma before it; empty when there are none.
  package var extras: [UInt8]
  /// The event's place in the log, once it has one.
  package var id: EventID?

  package init(
    type: EventType, applianceID: ApplianceID, timestamp: Timestamp, data: [UInt8] = Array("{}".utf8), extras: [UInt8] = [],
    id: EventID? = nil
  ) {
    self.type = type
    self.applianceID = applianceID
    self.timestamp = timestamp
    self.data = data
    self.extras = extras
    self.id = id
  }

  package var isTelemetry: Bool { type.isTelemetry }

  /// Reads an envelope from the bus, where all members are known to be there.
  ///
  /// Throws `ModelError` naming the member that is missing or wrong.
  package init(parsing text: [UInt8]) throws(ModelError) {
    try self.init(envelope: try Self.object(text), of: nil, receivedAt: nil)
  }

  /// Reads an envelope that a device sent. A missing `timestamp` becomes `receivedAt`, a missing `data` an empty object. An `id` of
  /// the device's own is carried on as `message_id`, because `id` is the log's.
  ///
  /// - Parameter appliance: whose it is when it does not say so itself, as in dialects whose frames do not name their sender.
  package init(fromDevice envelope: JSONObject, of appliance: ApplianceID? = nil, receivedAt: Timestamp) throws(ModelError) {
    try self.init(envelope: envelope, of: appliance, receivedAt: receivedAt)
    guard let own = envelope.raw("id") else { return }
    id = nil
    if !envelope.contains("message_id") { extras += Array(",\"message_id\":".utf8) + own }
  }

  private init(envelope: JSONObject, of appliance: ApplianceID?, receivedAt: Timestamp?) throws(ModelError) {
    guard let type = envelope.string("type") else { throw .missing("type") }
    self.type = try EventType(type)
    applianceID = try Self.applianceID(envelope, unlessSaid: appliance)
    timestamp = try Self.timestamp(envelope, receivedAt: receivedAt)
    data = try Self.data(envelope, mayBeMissing: receivedAt != nil)
    id = envelope.string("id").flatMap(EventID.init)
    extras = []
    for member in envelope.members where !Self.knownMembers.contains(member.name) {
      extras.append(UInt8(ascii: ","))
      extras += envelope.text(of: member)
    }
  }

  private static let knownMembers: Set<String> = ["type", "appliance_id", "timestamp", "data", "id"]

  private static func object(_ text: [UInt8]) throws(ModelError) -> JSONObject {
    do { return try JSONObject(parsing: text) } catch { throw .malformed(error) }
  }

  private static func applianceID(_ envelope: JSONObject, unlessSaid appliance: ApplianceID?) throws(ModelError) -> ApplianceID {
    if let appliance, !envelope.contains("appliance_id") { return appliance }
    guard let name = envelope.string("appliance_id") else { throw .missing("appliance_id") }
    return try ApplianceID(name)
  }

  private static func timestamp(_ envelope: JSONObject, receivedAt: Timestamp?) throws(ModelError) -> Timestamp {
    guard envelope.contains("timestamp") else {
      if let receivedAt { return receivedAt }
      throw .missing("timestamp")
    }
    guard let text = envelope.string("timestamp") else { throw .wrongType(path: "timestamp", wanted: "an ISO 8601 string") }
    guard let timestamp = Timestamp(iso8601: text) else { throw .invalidTimestamp(text) }
    return timestamp
  }

  private static func data(_ envelope: JSONObject, mayBeMissing: Bool) throws(ModelError) -> [UInt8] {
    guard let data = envelope.raw("data") else {
      if mayBeMissing { return Array("{}".utf8) }
      throw .missing("data")
    }
    guard data.first == UInt8(ascii: "{") else { throw .wrongType(path: "data", wanted: "an object") }
    return Array(data)
  }

  /// The envelope as the bus carries it: `type` first, and `id`, where there is one, last.
  package func encoded() -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(data.count + extras.count + 192)
    text.append("{\"type\":\"")
    text += type.rawValue.utf8
    text.append("\",\"appliance_id\":\"")
    text += applianceID.rawValue.utf8
    text.append("\",\"timestamp\":\"")
    text += timestamp.iso8601.utf8
    text.append("\",\"data\":")
    text += data
    text += extras
    if let id {
      text.append(",\"id\":\"")
      text += id.description.utf8
      text.append(UInt8(ascii: "\""))
    }
    text.append(UInt8(ascii: "}"))
    return text
  }
}
