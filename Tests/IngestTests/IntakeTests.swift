import EventLog
import MQTTClient
import Models
import Testing

@testable import Ingest

@Suite("Fingerprints and order")
struct IntakeTests {
  static let now = TranslationTests.receivedAt

  private func message(
    _ payload: String, topic: String = "martlet/a/events/x", packetID: UInt16 = 7, isRedelivery: Bool = false, token: UInt32 = 1,
    qos: MQTTQoS = .atLeastOnce
  ) -> MQTTMessage {
    MQTTMessage(
      topic: topic, payload: Array(payload.utf8), qos: qos, packetID: packetID, isRedelivery: isRedelivery, sessionToken: token)
  }

  private func entry(_ message: MQTTMessage, clientID: String = "ingest-1") throws -> LogEntry {
    try #require(Intake([message], clientID: clientID, receivedAt: Self.now).entries.first)
  }

  @Test func `a redelivery is known by session, packet and payload, and only a redelivery is refused`() throws {
    let first = try entry(message(#"{"t":20}"#))
    let again = try entry(message(#"{"t":20}"#, isRedelivery: true))
    #expect(first.fingerprint?.count == 16)
    #expect(first.fingerprint == again.fingerprint)
    #expect(!first.mayBeDuplicate && again.mayBeDuplicate)
    let others = [
      try entry(message(#"{"t":21}"#)), try entry(message(#"{"t":20}"#, packetID: 8)), try entry(message(#"{"t":20}"#, token: 2)),
      try entry(message(#"{"t":20}"#), clientID: "ingest-2"), try entry(message(#"{"t":20}"#, topic: "martlet/b/events/x")),
    ]
    #expect(Set(others.map(\.fingerprint) + [first.fingerprint]).count == 6)
  }

  @Test func `at QoS 0 nothing can come twice`() throws {
    let entry = try entry(message("{}", qos: .atMostOnce))
    #expect(entry.fingerprint == nil && !entry.mayBeDuplicate)
  }

  @Test func `a device's message id is believed, however the message came`() throws {
    let first = try entry(message(#"{"message_id":"m-1","t":1}"#))
    let again = try entry(message(#"{"message_id":"m-1","t":2}"#, packetID: 99, token: 5))
    let enveloped = try entry(message(#"{"type":"x","appliance_id":"a","id":"m-1","data":{}}"#))
    #expect(first.fingerprint == again.fingerprint && first.fingerprint == enveloped.fingerprint)
    #expect(first.mayBeDuplicate)
    let elsewhere = try entry(message(#"{"message_id":"m-1","t":1}"#, topic: "martlet/b/events/x"))
    #expect(elsewhere.fingerprint != first.fingerprint)
  }

  @Test func `a sequence number counts together with its payload`() throws {
    let first = try entry(message(#"{"seq":1,"t":1}"#))
    let again = try entry(message(#"{"seq":1,"t":1}"#, packetID: 99))
    let restarted = try entry(message(#"{"seq":1,"t":2}"#))
    #expect(first.mayBeDuplicate && first.fingerprint == again.fingerprint && first.fingerprint != restarted.fingerprint)
  }

  @Test(arguments: [#"{"message_id":""}"#, #"{"message_id":null}"#, #"{"seq":{}}"#, #"{"seq":true}"#])
  func `what identifies nothing is not believed`(payload: String) throws {
    #expect(try !entry(message(payload)).mayBeDuplicate)
  }

  @Test func `a clock that runs ahead is believed for five minutes`() throws {
    let ahead = try entry(message(#"{"timestamp":"2030-01-01T00:00:00Z"}"#))
    #expect(ahead.order == Self.now + .seconds(300))
    let behind = try entry(message(#"{"timestamp":"2020-01-01T00:00:00Z"}"#))
    #expect(behind.order.iso8601 == "2020-01-01T00:00:00Z")
    guard case .event(let event) = ahead.content else { return #expect(Bool(false)) }
    #expect(event.timestamp.iso8601 == "2030-01-01T00:00:00Z")
  }

  @Test func `a status is ordered by its receipt`() throws {
    let will = message(#"{"status":"offline","timestamp":"2020-01-01T00:00:00Z"}"#, topic: "epicura/a/status")
    #expect(try entry(will).order == Self.now)
  }

  @Test func `an answer is known by its content, whichever replica hears it`() throws {
    let topic = "epicura/a/command/ack"
    let first = try entry(message(#"{"command_id":"c","status":"acknowledged"}"#, topic: topic))
    let other = try entry(
      message(#"{"command_id":"c","status":"acknowledged"}"#, topic: topic, packetID: 9, token: 3), clientID: "ingest-2")
    #expect(first.fingerprint != nil && first.fingerprint == other.fingerprint)
    #expect(first.mayBeDuplicate && first.window == .everyone)
    #expect(try entry(message(#"{"command_id":"c","status":"rejected"}"#, topic: topic)).fingerprint != first.fingerprint)
    let garbage = [try entry(message("?", topic: topic)), try entry(message("?", topic: topic), clientID: "ingest-2")]
    #expect(garbage[0].fingerprint == garbage[1].fingerprint && garbage[0].window == .everyone)
  }

  @Test func `an answer that is late, or that another replica was faster with, is told once`() throws {
    let answer = message(#"{"command_id":"c","status":"acknowledged"}"#, topic: "epicura/a/command/ack")
    let id = EventID(milliseconds: 1, sequence: 0)
    let unknown = Intake([answer], clientID: "c", receivedAt: Self.now)
    #expect(unknown.rejected(by: [.appended(id, isLate: false)]).map(\.rejection.reason) == [.unknownCommand])
    #expect(unknown.rejected(by: [.duplicate]).isEmpty)
    let open = OpenCommand(
      id: "c", applianceID: try ApplianceID("a"), type: try EventType("cooking:stop"), expiresAt: Self.now, isUrgent: true, isSent: true)
    var late = unknown
    late.settle([open.applianceID: [open]])
    #expect(late.entries.map(\.step) == [.close(id: "c")])
    #expect(late.rejected(by: [.refused]).isEmpty && late.late(by: [.refused]).map(\.entry.content) == unknown.entries.map(\.content))
  }

  @Test func `a batch is sorted, and one bad message spoils nothing`() {
    let intake = Intake(
      [
        message("{}"), message("nonsense"), message("{}", topic: "epicura/a/command/stop"),
        message("3", topic: DeviceTopic.brokerDroppedTopic), message("{}"),
      ], clientID: "c", receivedAt: Self.now)
    #expect(intake.entries.count == 3)
    let outcomes = intake.entries.map { _ in AppendOutcome.appended(EventID(milliseconds: 1, sequence: 0), isLate: false) }
    #expect(intake.rejected(by: outcomes).map(\.rejection.reason) == [.malformedPayload])
    #expect(intake.ignoredCount == 1)
    #expect(intake.brokerDropped == 3)
    let letters = intake.entries.compactMap { if case .deadLetter(let letter) = $0.content { letter } else { nil } }
    #expect(letters.map(\.payload) == [Array("nonsense".utf8)])
    #expect(letters.first?.topic == "martlet/a/events/x" && letters.first?.receivedAt == Self.now)
  }

  @Test func `the topic of a dead letter is bounded`() throws {
    let entry = try entry(message("{}", topic: String(repeating: "é", count: 5000)))
    guard case .deadLetter(let letter) = entry.content else { return #expect(Bool(false)) }
    #expect(letter.topic.utf8.count <= Intake.topicBytesMax)
  }
}
