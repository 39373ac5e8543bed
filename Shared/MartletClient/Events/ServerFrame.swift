internal import Models

/// What came as a text frame, or as an event in an answer of the API, checked before anybody acts on it: any member may be missing or of
/// another kind.
struct ServerFrame: Sendable {
  /// Sent to this connection alone; everything else that names an appliance is an event.
  private static let controls: Set<String> = [
    "connected", "subscribed", "unsubscribed", "token:expiring", "authenticated", "pong", "error",
  ]

  let type: String
  let applianceID: ApplianceID?
  let timestamp: Timestamp?
  let id: EventID?
  let data: JSONObject

  var isEvent: Bool { !Self.controls.contains(type) }

  /// Nil for what is no message: no JSON object, without a type, or an event of no appliance.
  init?(parsing text: [UInt8]) {
    guard let object = try? JSONObject(parsing: text), let type = object.string("type"), !type.isEmpty,
      ["appliance_id", "timestamp", "id", "user_id"].allSatisfy({ !object.contains($0) || object.string($0) != nil })
    else { return nil }
    self.type = type
    do {
      applianceID = try object.string("appliance_id").map(ApplianceID.init)
      let isEmpty = object.raw("data").map { $0.elementsEqual("null".utf8) } ?? true
      data = try JSONObject(parsing: isEmpty ? Array("{}".utf8) : Array(object.raw("data") ?? []))
    } catch {
      return nil
    }
    timestamp = object.string("timestamp").flatMap(Timestamp.init(iso8601:))
    id = object.string("id").flatMap(EventID.init)
    if object.contains("id"), id == nil { return nil }
    if isEvent, applianceID == nil { return nil }
  }
}
