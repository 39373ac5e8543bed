import Models
import Store

extension CookingSessionRow {
  /// What an event `cooking:…` of a device tells (the Epicura document's "Server Events"); nil if it does not say of which session.
  init?(_ event: Event, receivedAt: Timestamp) {
    guard let data = try? JSONObject(parsing: event.data), let id = data.rowID("session_id") else { return nil }
    self.init(applianceID: event.applianceID, id: id, at: event.timestamp, receivedAt: receivedAt)
    recipeID = data.string("recipe_id")
    recipeName = data.string("recipe_name")
    totalStages = data.stageNumber("total_stages")
    switch event.type.rawValue {
    case "cooking:progress":
      if let stage = data.stageNumber("current_stage") { reach(stage, name: data.string("stage_name")) }
    case "cooking:stage_change": change(data, at: event.timestamp)
    case "cooking:complete":
      end = CookingEnd(.complete, at: event.timestamp)
      summary = data.bytes
    case "cooking:error": fail(data, at: event.timestamp)
    default: break
    }
  }

  private mutating func change(_ data: JSONObject, at time: Timestamp) {
    if let previous = data.object("previous_stage"), let number = previous.stageNumber("index") {
      var stage = Stage()
      stage.name = previous.string("name")
      stage.durationSeconds = previous.number("duration_s").flatMap { (0...Self.durationSecondsMax).contains($0) ? $0 : nil }
      stage.result = previous.string("result")
      stage.transition = previous.string("transition")
      stage.endedAt = time
      stages[number] = stage
      reach(number, name: stage.name)
    }
    if let next = data.object("next_stage"), let number = next.stageNumber("index") {
      var stage = stages[number] ?? Stage()
      stage.name = stage.name ?? next.string("name")
      stage.startedAt = time
      stages[number] = stage
      reach(number, name: stage.name)
    }
  }

  /// A critical error is the session's end. The severity is the document's, whatever the device says; an unknown code is a warning.
  private mutating func fail(_ data: JSONObject, at time: Timestamp) {
    let code = data.string("error_code") ?? ""
    let severity = EpicuraErrorCode.severity(of: code)
    var text: [UInt8] = []
    text.append("{\"code\":")
    text.append(json: code)
    text.append(",\"severity\":")
    text.append(json: severity.rawValue)
    for name in ["message", "action_taken"] {
      guard let value = data.string(name) else { continue }
      text.append(UInt8(ascii: ","))
      text.append(json: name)
      text.append(UInt8(ascii: ":"))
      text.append(json: value)
    }
    text.append(",\"timestamp\":")
    text.append(json: time.iso8601)
    text.append(UInt8(ascii: "}"))
    lastFailure = Failure(at: time, json: text)
    if severity == .critical { end = CookingEnd(.error, at: time) }
  }

  /// A year: what is longer is no duration of a stage.
  private static let durationSecondsMax = 31_536_000.0
}

extension JSONObject {
  /// A number of stages, or that of one; nil if it is missing or cannot be one.
  fileprivate func stageNumber(_ name: String) -> Int? {
    number(name).flatMap(Int.init(exactly:)).flatMap { (0...CookingSessionRow.numberMax).contains($0) ? $0 : nil }
  }
}
