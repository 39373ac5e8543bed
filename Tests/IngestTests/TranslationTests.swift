import Foundation
import Models
import Testing

@testable import Ingest

@Suite("Translation of MQTT messages")
struct TranslationTests {
  static let receivedAt = Timestamp(microseconds: 1_771_072_500_000_000)

  static func translate(_ topic: String, _ payload: String) -> Translation {
    Translation(topic: topic, payload: Array(payload.utf8), payloadByteCount: payload.utf8.count, receivedAt: receivedAt)
  }

  private func event(_ topic: String, _ payload: String) throws -> Event {
    guard case .event(let event, _) = Self.translate(topic, payload) else {
      throw Unexpected(translation: Self.translate(topic, payload))
    }
    return event
  }

  private struct Unexpected: Error { let translation: Translation }

  private func reason(_ topic: String, _ payload: String) -> Rejection.Reason? {
    if case .deadLetter(let rejection) = Self.translate(topic, payload) { rejection.reason } else { nil }
  }

  @Test(arguments: [
    ("epicura/EPIC-001/status", "appliance:status"), ("epicura/EPIC-001/alert", "appliance:alert"),
    ("epicura/EPIC-001/session/started", "cooking:started"), ("epicura/EPIC-001/session/progress", "cooking:progress"),
    ("epicura/EPIC-001/session/stage_change", "cooking:stage_change"), ("epicura/EPIC-001/session/complete", "cooking:complete"),
    ("epicura/EPIC-001/session/error", "cooking:error"), ("martlet/EPIC-001/events/door.opened", "door.opened"),
  ])
  func `a topic gives the event its appliance and type`(topic: String, type: String) throws {
    let event = try event(topic, #"{"a":1}"#)
    #expect(event.applianceID.rawValue == "EPIC-001")
    #expect(event.type.rawValue == type)
    #expect(event.timestamp == Self.receivedAt)
  }

  @Test func `data passes untouched, with every digit`() throws {
    let data = #"{ "temperature": 148.50, "big": 12345678901234567890.10, "text": "\u00e9é" }"#
    #expect(try event("epicura/a/session/progress", "  \(data)\n").data == Array(data.utf8))
  }

  @Test(arguments: [
    (#"{"error_code":"OVER_TEMPERATURE","n":1.50}"#, #"{"error_code":"OVER_TEMPERATURE","n":1.50,"severity":"critical"}"#),
    (#"{"error_code":"MOTOR_STALL"}"#, #"{"error_code":"MOTOR_STALL","severity":"warning"}"#),
    (#"{"error_code":"NEVER_HEARD_OF"}"#, #"{"error_code":"NEVER_HEARD_OF","severity":"warning"}"#),
    ("{ }", #"{ "severity":"warning"}"#),
    (#"{"error_code":"MOTOR_STALL","severity":"critical"}"#, #"{"error_code":"MOTOR_STALL","severity":"critical"}"#),
  ])
  func `an error without a severity gets that of its code`(sent: String, told: String) throws {
    #expect(String(decoding: try event("epicura/a/session/error", sent).data, as: UTF8.self) == told)
    let envelope = #"{"type":"cooking:error","appliance_id":"a","data":\#(sent)}"#
    #expect(String(decoding: try event("epicura/a/session/error", envelope).data, as: UTF8.self) == told)
    #expect(try event("martlet/a/events/other:error", sent).data == Array(sent.utf8))
  }

  @Test(arguments: ["command:acknowledged", "command:failed", "command:anything", "alarm:cleared", "rule:triggered"])
  func `a device cannot tell what is Martlet's to tell`(type: String) {
    #expect(reason("martlet/a/events/\(type)", #"{"command_id":"c"}"#) == .reservedType)
  }

  @Test func `the documents' own envelopes pass unchanged`() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/epicura")
    let topics = [
      "cooking.started": "session/started", "cooking.progress": "session/progress", "cooking.stage_change": "session/stage_change",
      "cooking.complete": "session/complete", "cooking.error": "session/error", "appliance.status": "status", "appliance.alert": "alert",
    ]
    for (name, topic) in topics {
      let text = try String(contentsOf: folder.appending(path: "\(name).json"), encoding: .utf8)
      let original = try Event(parsing: Array(text.utf8))
      #expect(try event("epicura/EPIC-001/\(topic)", text) == original)
    }
  }

  @Test func `the device's own time is taken from the envelope, else from the data`() throws {
    let inData = try event("martlet/a/events/x", #"{"timestamp":"2026-02-14T12:35:00+01:00"}"#)
    #expect(inData.timestamp.iso8601 == "2026-02-14T11:35:00Z")
    let bare = #"{"type":"x","appliance_id":"a","data":{"timestamp":"2026-02-14T12:35:00Z"}}"#
    #expect(try event("martlet/a/events/x", bare).timestamp.iso8601 == "2026-02-14T12:35:00Z")
    #expect(try event("martlet/a/events/x", #"{"timestamp":1771072500}"#).timestamp == Self.receivedAt)
  }

  @Test func `an object with a type but no data is data`() throws {
    let data = #"{"type":"boiler","level":3}"#
    #expect(try event("martlet/a/events/x", data).data == Array(data.utf8))
  }

  @Test func `unknown members of an envelope are carried on`() throws {
    let event = try event("martlet/a/events/x", #"{"type":"x","appliance_id":"a","v":1.0,"data":{}}"#)
    #expect(String(decoding: event.extras, as: UTF8.self) == #","v":1.0"#)
  }

  @Test(arguments: [
    ("epicura/a/nonsense", "{}", Rejection.Reason.foreignTopic), ("elsewhere", "{}", .foreignTopic), ("", "{}", .foreignTopic),
    ("martlet/a/events/x/y", "{}", .foreignTopic), ("epicura/bad id/status", "{}", .foreignTopic),
    ("martlet/bad id/events/x", "{}", .invalidTopic), ("martlet/a/events/", "{}", .invalidTopic),
    ("martlet//events/x", "{}", .invalidTopic), ("martlet/a/events/b d", "{}", .invalidTopic),
    ("martlet/a/events/x", "", .malformedPayload), ("martlet/a/events/x", "[1]", .malformedPayload),
    ("martlet/a/events/x", #"{"a":1"#, .malformedPayload), ("martlet/a/events/x", #"{"a":1,"a":2}"#, .malformedPayload),
    ("martlet/a/events/x", #"{"type":"x","data":{}}"#, .invalidEnvelope),
    ("martlet/a/events/x", #"{"type":"x","appliance_id":"a","timestamp":"yesterday","data":{}}"#, .invalidEnvelope),
    ("martlet/a/events/x", #"{"type":"x","appliance_id":"b","data":{}}"#, .contradictsTopic),
    ("martlet/a/events/x", #"{"type":"y","appliance_id":"a","data":{}}"#, .contradictsTopic),
    ("martlet/a/commands/ack", #"{"status":"acknowledged"}"#, .invalidCommandAnswer),
    ("martlet/a/commands/ack", #"{"command_id":"c","status":"maybe"}"#, .invalidCommandAnswer),
  ])
  func `what is no event is a dead letter with its reason`(topic: String, payload: String, wanted: Rejection.Reason) {
    #expect(reason(topic, payload) == wanted)
  }

  @Test func `nesting is bounded`() {
    let deep = String(repeating: #"{"a":"#, count: 100) + "1" + String(repeating: "}", count: 100)
    #expect(reason("martlet/a/events/x", deep) == .malformedPayload)
  }

  @Test func `a payload that was cut is a dead letter that tells its length`() {
    let translation = Translation(topic: "martlet/a/events/x", payload: [1, 2], payloadByteCount: 900_000, receivedAt: Self.receivedAt)
    let explanation = "the payload of 900000 bytes is too large; its first 2 are kept"
    #expect(translation == .deadLetter(Rejection(reason: .payloadTooLarge, explanation: explanation)))
  }

  @Test(arguments: [
    "epicura/a/command/start", "epicura/a/command/stop", "martlet/a/commands/restart", "reefnet/a/control",
    "oht50/a/command/emergency_stop",
  ])
  func `our own commands are ignored`(topic: String) {
    #expect(Self.translate(topic, "{}") == .ignored)
  }

  @Test(arguments: ["epicura/a/command/ack", "martlet/a/commands/ack", "oht50/a/command/ack"])
  func `a device's answer to a command is read, bare or in an envelope`(topic: String) throws {
    let appliance = try ApplianceID("a")
    let yes = CommandAnswer(commandID: "c-1", applianceID: appliance, verdict: .acknowledged, message: nil, timestamp: Self.receivedAt)
    #expect(Self.translate(topic, #"{"command_id":"c-1","status":"acknowledged"}"#) == .answer(yes))
    #expect(
      Self.translate(topic, #"{"type":"any","appliance_id":"a","data":{"command_id":"c-1","status":"acknowledged"}}"#) == .answer(yes))
    let no = CommandAnswer(commandID: "c-1", applianceID: appliance, verdict: .rejected, message: "lid open", timestamp: Self.receivedAt)
    #expect(Self.translate(topic, #"{"command_id":"c-1","status":"rejected","message":"lid open","more":1}"#) == .answer(no))
    let long = String(repeating: "x", count: 5000)
    guard case .answer(let cut) = Self.translate(topic, #"{"command_id":"c-1","status":"rejected","message":"\#(long)"}"#) else {
      return #expect(Bool(false))
    }
    #expect(cut.message?.count == CommandAnswer.messageLengthMax)
  }

  @Test func `no filter asks the broker for our own commands, because it tells by its subscriptions whether a device listens`() throws {
    func matches(_ filter: String, _ topic: String) -> Bool {
      let (filter, topic) = (filter.split(separator: "/"), topic.split(separator: "/"))
      for (index, part) in filter.enumerated() {
        if part == "#" { return true }
        guard index < topic.count, part == "+" || part == topic[index] else { return false }
      }
      return filter.count == topic.count
    }
    let filters = DeviceTopic.eventFilters + DeviceTopic.answerFilters
    let dialects = ReefnetCommand.allCases.map(\.type.rawValue) + ["emergency_stop"]
    for type in ["cooking:start", "cooking:pause", "cooking:resume", "cooking:stop", "door.open"] + dialects {
      let topic = Command(
        id: "c", applianceID: try ApplianceID("a"), type: try EventType(type), issuedAt: Self.receivedAt, expiresAt: Self.receivedAt
      ).topic
      #expect(!filters.contains { matches($0, topic) }, "\(topic)")
    }
    let heard = [
      "epicura/a/status", "epicura/a/session/error", "epicura/a/command/ack", "martlet/a/events/x", "martlet/a/commands/ack",
      "reefnet/a/status", "reefnet/a/alarm", "oht50/a/telemetry.realtime", "oht50/a/safety.estop", "oht50/a/command/ack",
    ]
    for topic in heard {
      #expect(filters.count { matches($0, topic) } == 1, "\(topic)")
    }
  }

  @Test func `the broker's count of dropped messages is read`() {
    #expect(Self.translate(DeviceTopic.brokerDroppedTopic, "12") == .brokerDropped(12))
    #expect(Self.translate(DeviceTopic.brokerDroppedTopic, "many") == .brokerDropped(0))
  }
}
