import Foundation
import Models
import Testing

/// The example messages of the Epicura document, as files.
enum EpicuraFixture {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/epicura")
  static let serverEvents = [
    "cooking.started", "cooking.progress", "cooking.stage_change", "cooking.complete", "cooking.error", "appliance.status",
    "appliance.alert",
  ]

  static func text(_ name: String) throws -> [UInt8] { try Array(Data(contentsOf: folder.appending(path: "\(name).json"))) }

  /// Foundation's own reading of a text, to compare meanings with.
  static func meaning(_ text: some Sequence<UInt8>) throws -> NSDictionary {
    try #require(JSONSerialization.jsonObject(with: Data(text)) as? NSDictionary)
  }
}

@Suite struct EpicuraTests {
  @Test(arguments: EpicuraFixture.serverEvents)
  func `Every server event of the document passes through unchanged in meaning`(name: String) throws {
    let text = try EpicuraFixture.text(name)
    let event = try Event(parsing: text)
    #expect(try EpicuraFixture.meaning(event.encoded()) == EpicuraFixture.meaning(text))
    #expect(event.encoded().starts(with: Array("{\"type\":\"".utf8)))
  }

  @Test(arguments: EpicuraFixture.serverEvents)
  func `Every server event of the document has a topic that leads back to it`(name: String) throws {
    let event = try Event(parsing: try EpicuraFixture.text(name))
    let topic = try #require(EpicuraTopic.topic(of: event.type, appliance: event.applianceID))
    #expect(EpicuraTopic(topic)?.kind == .event(event.type))
    #expect(EpicuraTopic(topic)?.applianceID == event.applianceID)
  }

  @Test(arguments: [
    "epicura/A", "epicura/A/", "epicura//status", "epicura/A/session", "epicura/A/session/x", "other/A/status", "epicura/A B/status",
    "epicura/A/status/",
  ])
  func `A topic that the dialect does not have is none`(topic: String) {
    #expect(EpicuraTopic(topic) == nil)
  }

  @Test func `Commands and their acknowledgements have topics of their own`() {
    #expect(EpicuraTopic("epicura/A/command/stop")?.kind == .command)
    #expect(EpicuraTopic("epicura/A/command/ack")?.kind == .commandAcknowledgement)
  }

  @Test func `Every client event of the document is understood`() throws {
    let appliance = try ApplianceID("EPIC-001")
    #expect(try EpicuraClientMessage(parsing: EpicuraFixture.text("subscribe")) == .subscribe(appliance, since: nil))
    for name in ["pause", "resume", "stop"] {
      let expected = EpicuraClientMessage.command(try EventType("cooking:\(name)"), appliance, data: Array("{}".utf8), requestID: nil)
      #expect(try EpicuraClientMessage(parsing: EpicuraFixture.text("cooking.\(name)")) == expected)
    }
    guard case .command(let type, appliance, let data, nil) = try EpicuraClientMessage(parsing: EpicuraFixture.text("cooking.start")) else {
      Issue.record("cooking:start was not read as a command")
      return
    }
    #expect(type.rawValue == "cooking:start")
    #expect(try EpicuraFixture.meaning(data)["recipe_id"] as? String == "recipe-uuid-001")
  }

  @Test(arguments: [
    ("nonsense", EpicuraRejection.Code.malformedMessage), ("[]", .malformedMessage), ("{}", .malformedMessage),
    (#"{"type":5}"#, .malformedMessage),
    (#"{"type":"dance"}"#, .unknownType), (#"{"type":"subscribe"}"#, .malformedMessage),
    (#"{"type":"subscribe","appliance_id":"a b"}"#, .malformedMessage),
    (#"{"type":"subscribe","appliance_id":"A","since":7}"#, .malformedMessage),
    (#"{"type":"cooking:start","appliance_id":"A","request_id":7}"#, .malformedMessage),
    (#"{"type":"cooking:pause"}"#, .malformedMessage), (#"{"type":"auth"}"#, .malformedMessage),
    (#"{"type":"auth","token":{}}"#, .malformedMessage),
  ])
  func `What is no client event is refused with a code`(text: String, code: EpicuraRejection.Code) {
    let error = #expect(throws: EpicuraRejection.self) { try EpicuraClientMessage(parsing: Array(text.utf8)) }
    #expect(error?.code == code)
  }

  @Test func `A command carries its data as it came and the app's own name for it, and a stop is not refused for either`() throws {
    let appliance = try ApplianceID("A")
    let start = try EpicuraClientMessage(
      parsing: Array(#"{"type":"cooking:start","appliance_id":"A","request_id":"r-1","data":[]}"#.utf8))
    #expect(start == .command(try EventType("cooking:start"), appliance, data: Array("[]".utf8), requestID: "r-1"))
    let stop = try EpicuraClientMessage(parsing: Array(#"{"type":"cooking:stop","appliance_id":"A","request_id":7,"data":5}"#.utf8))
    #expect(stop == .command(try EventType("cooking:stop"), appliance, data: Array("5".utf8), requestID: nil))
  }

  @Test func `What is said of tokens and of the past`() throws {
    let (moment, end) = (try #require(Timestamp(iso8601: "2026-02-14T12:30:00Z")), try #require(Timestamp(iso8601: "2026-02-14T12:31:00Z")))
    let appliance = try ApplianceID("EPIC-001")
    for (message, text) in [
      (
        EpicuraServerMessage.tokenExpiring(moment, expiresAt: end),
        #"{"type":"token:expiring","timestamp":"2026-02-14T12:30:00Z","data":{"expires_at":"2026-02-14T12:31:00Z"}}"#
      ),
      (
        .authenticated(moment, expiresAt: end),
        #"{"type":"authenticated","timestamp":"2026-02-14T12:30:00Z","data":{"expires_at":"2026-02-14T12:31:00Z"}}"#
      ),
      (
        .subscribed(appliance, moment, currentStatus: "online", recovered: false),
        #"{"type":"subscribed","appliance_id":"EPIC-001","timestamp":"2026-02-14T12:30:00Z","#
          + #""data":{"current_status":"online","recovered":false}}"#
      ),
    ] { #expect(String(decoding: message.encoded(), as: UTF8.self) == text) }
    #expect(try EpicuraClientMessage(parsing: Array(#"{"type":"auth","token":"t"}"#.utf8)) == .auth(token: "t"))
  }

  @Test func `The confirmation of a subscription is the document's`() throws {
    let moment = try #require(Timestamp(iso8601: "2026-02-14T12:30:00Z"))
    let message = EpicuraServerMessage.subscribed(try ApplianceID("EPIC-001"), moment, currentStatus: "online")
    #expect(try EpicuraFixture.meaning(message.encoded()) == EpicuraFixture.meaning(EpicuraFixture.text("server.subscribed")))
  }

  @Test func `Error codes have the document's severities, unknown ones are warnings`() {
    let critical = EpicuraErrorCode.allCases.filter { $0.severity == .critical }.map(\.rawValue)
    #expect(Set(critical) == ["OVER_TEMPERATURE", "COMMUNICATION_LOST", "POWER_ANOMALY"])
    #expect(EpicuraErrorCode.allCases.count == 7)
    #expect(EpicuraErrorCode.severity(of: "NEW_CODE") == .warning)
  }
}
