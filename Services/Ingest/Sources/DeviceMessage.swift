import Models

/// A payload as devices send it: an event's `data`, or the whole envelope, which is an object with a string `type` and an object `data`.
struct DeviceMessage {
  private let envelope: JSONObject?
  private let data: JSONObject
  private let receivedAt: Timestamp

  init(_ payload: [UInt8], receivedAt: Timestamp) throws(Rejection) {
    let object: JSONObject
    do { object = try JSONObject(parsing: payload) } catch {
      throw Rejection(reason: .malformedPayload, explanation: error.description)
    }
    if object.string("type") != nil, let data = object.object("data") {
      (envelope, self.data) = (object, data)
    } else {
      (envelope, data) = (nil, object)
    }
    self.receivedAt = receivedAt
  }

  /// - Parameters:
  ///   - mayNameOtherType: whether an envelope's `type` is free to differ from what the topic says.
  ///   - mayOmitSender: whether an envelope may leave `appliance_id` to the topic.
  func event(
    of type: EventType, from appliance: ApplianceID, mayNameOtherType: Bool = false, mayOmitSender: Bool = false
  ) throws(Rejection) -> Event {
    guard let envelope else {
      return Event(type: type, applianceID: appliance, timestamp: timestampInData ?? receivedAt, data: data.bytes)
    }
    var event: Event
    do { event = try Event(fromDevice: envelope, of: mayOmitSender ? appliance : nil, receivedAt: receivedAt) } catch {
      throw Rejection(reason: .invalidEnvelope, explanation: error.description)
    }
    guard event.applianceID == appliance else {
      throw Rejection(reason: .contradictsTopic, explanation: "the envelope's appliance_id is '\(event.applianceID)'")
    }
    guard event.type == type || mayNameOtherType else {
      throw Rejection(reason: .contradictsTopic, explanation: "the envelope's type is '\(event.type)'")
    }
    event.type = type
    if !envelope.contains("timestamp"), let timestampInData { event.timestamp = timestampInData }
    return event
  }

  private var timestampInData: Timestamp? { data.string("timestamp").flatMap(Timestamp.init(iso8601:)) }

  /// The answer to a command that this is, from an appliance.
  func answer(from appliance: ApplianceID) throws(Rejection) -> CommandAnswer {
    // An envelope is checked as any other; its type may be whatever the device calls its answers.
    let event = try event(of: .commandAcknowledged, from: appliance, mayNameOtherType: true)
    guard let id = data.string("command_id"), !id.isEmpty else {
      throw Rejection(reason: .invalidCommandAnswer, explanation: "'command_id' is missing")
    }
    let verdict: CommandAnswer.Verdict
    switch data.string("status") {
    case "acknowledged": verdict = .acknowledged
    case "rejected": verdict = .rejected
    default: throw Rejection(reason: .invalidCommandAnswer, explanation: "'status' must be 'acknowledged' or 'rejected'")
    }
    return CommandAnswer(
      commandID: id, applianceID: appliance, verdict: verdict,
      message: data.string("message").map { String($0.prefix(CommandAnswer.messageLengthMax)) }, timestamp: event.timestamp)
  }

  var identity: DeviceIdentity {
    let ids = [envelope?.raw("message_id"), envelope?.raw("id"), data.raw("message_id")]
    if let id = ids.lazy.compactMap(Self.identifying).first { return .messageID(id) }
    if let number = [envelope?.raw("seq"), data.raw("seq")].lazy.compactMap(Self.identifying).first { return .sequence(number) }
    return .none
  }

  /// A string that is not empty, or a number, as its text.
  private static func identifying(_ text: ArraySlice<UInt8>?) -> [UInt8]? {
    guard let text, let first = text.first else { return nil }
    let isString = first == UInt8(ascii: "\"") && text.count > 2
    let isNumber = first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    return isString || isNumber ? Array(text) : nil
  }
}
