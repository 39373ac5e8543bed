import Models
import Testing

@Suite struct EventTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func `An event is written with type first and id last, its data untouched`() throws {
    let text = #"{"appliance_id":"EPIC-001","data":{"b": 1.10, "a":[1e3]},"timestamp":"2026-02-14T14:30:00+02:00","type":"x:y","seq":7}"#
    var event = try Event(parsing: bytes(text))
    event.id = EventID(milliseconds: 12, sequence: 3)
    let expected =
      #"{"type":"x:y","appliance_id":"EPIC-001","timestamp":"2026-02-14T12:30:00Z","data":{"b": 1.10, "a":[1e3]},"seq":7,"id":"12-3"}"#
    #expect(String(decoding: event.encoded(), as: UTF8.self) == expected)
    #expect(try Event(parsing: event.encoded()) == event)
  }

  @Test(arguments: [
    (#"{"appliance_id":"A","timestamp":"2026-02-14T12:30:00Z","data":{}}"#, ModelError.missing("type")),
    (#"{"type":"t","timestamp":"2026-02-14T12:30:00Z","data":{}}"#, .missing("appliance_id")),
    (#"{"type":"t","appliance_id":"A","data":{}}"#, .missing("timestamp")),
    (#"{"type":"t","appliance_id":"A","timestamp":"2026-02-14T12:30:00Z"}"#, .missing("data")),
    (#"{"type":"t","appliance_id":"A","timestamp":"2026-02-14T12:30:00Z","data":[]}"#, .wrongType(path: "data", wanted: "an object")),
    (#"{"type":"t","appliance_id":"A","timestamp":5,"data":{}}"#, .wrongType(path: "timestamp", wanted: "an ISO 8601 string")),
    (#"{"type":"t","appliance_id":"A","timestamp":"today","data":{}}"#, .invalidTimestamp("today")),
    (#"{"type":"a b","appliance_id":"A","timestamp":"2026-02-14T12:30:00Z","data":{}}"#, .invalidEventType("a b")),
    (#"{"type":"t","appliance_id":"A/B","timestamp":"2026-02-14T12:30:00Z","data":{}}"#, .invalidApplianceID("A/B")),
    (#"[]"#, .malformed(.notAnObject)),
  ])
  func `What is missing or wrong is named`(text: String, error: ModelError) {
    #expect(throws: error) { try Event(parsing: bytes(text)) }
  }

  @Test func `A device may leave out time and data, and its own id is carried on as message_id`() throws {
    let receivedAt = Timestamp(microseconds: 1_771_072_200_000_000)
    let envelope = try JSONObject(parsing: bytes(#"{"type":"t","appliance_id":"A","id":"5-1"}"#))
    let event = try Event(fromDevice: envelope, receivedAt: receivedAt)
    #expect(event.timestamp == receivedAt && event.id == nil)
    #expect(
      String(decoding: event.encoded(), as: UTF8.self)
        == #"{"type":"t","appliance_id":"A","timestamp":"2026-02-14T12:30:00Z","data":{},"message_id":"5-1"}"#)
  }

  @Test func `A command is written as SPEC has it`() throws {
    let command = Command(
      id: "c-1", applianceID: try ApplianceID("EPIC-001"), type: try EventType("cooking:stop"),
      issuedAt: Timestamp(microseconds: 1_771_072_200_000_000), expiresAt: Timestamp(microseconds: 1_771_072_210_000_000))
    #expect(command.isUrgent)
    #expect(
      String(decoding: command.encoded(), as: UTF8.self)
        == #"{"command_id":"c-1","type":"cooking:stop","issued_at":"2026-02-14T12:30:00Z","expires_at":"2026-02-14T12:30:10Z","data":{}}"#)
  }
}

@Suite struct ReadingTests {
  private func readings(_ data: String) throws -> [String: Double] {
    let event = Event(
      type: try EventType("t"), applianceID: try ApplianceID("A"), timestamp: Timestamp(microseconds: 0), data: Array(data.utf8))
    return Dictionary(uniqueKeysWithValues: event.readings().map { ($0.metric, $0.value) })
  }

  @Test func `Numbers come out under their dotted path`() throws {
    let found = try readings(
      #"{"temperature":148.5,"cv_status":{"class":"golden","confidence":0.72},"on":true,"n":null,"list":[1,{"x":-2e1}],"s":"5"}"#)
    #expect(found == ["temperature": 148.5, "cv_status.confidence": 0.72, "list.0": 1, "list.1.x": -20])
  }

  @Test func `What no double holds, has no name, or has too long a name is left out`() throws {
    #expect(try readings(#"{"a":1e999,"":4,"b\u0000":3,"\#(String(repeating: "k", count: 129))":1,"ok":2}"#) == ["ok": 2])
  }

  @Test func `One event brings a bounded number of readings`() throws {
    let data = "{\"a\":[" + (0..<1000).map(String.init).joined(separator: ",") + "]}"
    #expect(try readings(data).count == Event.readingCountMax)
  }
}
