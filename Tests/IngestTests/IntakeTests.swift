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

  @Test func `a batch is sorted, and one bad message spoils nothing`() {
    let intake = Intake(
      [
        message("{}"), message("nonsense"), message("{}", topic: "epicura/a/command/stop"),
        message("3", topic: DeviceTopic.brokerDroppedTopic), message("{}"),
      ], clientID: "c", receivedAt: Self.now)
    #expect(intake.entries.count == 3)
    #expect(intake.rejected.map(\.rejection.reason) == [.malformedPayload])
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

@Suite("Dead letters in the service's log")
struct DeadLetterLinesTests {
  private func message(_ payload: [UInt8]) -> Intake.RejectedMessage {
    .init(topic: "a\nb", rejection: Rejection(reason: .malformedPayload, explanation: "not a JSON object"), payload: payload)
  }

  @Test func `a line is escaped and holds at most 64 bytes of the payload`() {
    var lines = DeadLetterLines()
    let payload: [UInt8] = [0x1B, 0x5C, 0xFF, 0x00] + Array(repeating: UInt8(ascii: "x"), count: 100)
    let line = lines.line(for: message(payload), at: IntakeTests.now)
    let start = #"\x1b\x5c\xff\x00"# + String(repeating: "x", count: 60) + "…"
    #expect(line == #"A message on 'a\x0ab' is a dead letter: not a JSON object; it starts with '\#(start)'"#)
  }

  @Test func `many in a short time become a count`() {
    var lines = DeadLetterLines(linesMax: 2, span: .seconds(10))
    let now = IntakeTests.now
    let shown = (0..<5).map { _ in lines.line(for: message([]), at: now) != nil }
    #expect(shown == [true, true, false, false, false])
    #expect(lines.line(for: message([]), at: now + .seconds(10))?.hasSuffix("(and 3 more since the line before)") == true)
    #expect(lines.line(for: message([]), at: now + .seconds(5))?.contains("more since") == false)
  }
}

@Suite("Back-pressure")
struct LogValveTests {
  @Test func `the budget is exceeded past its share and is back only with room to spare`() {
    var budget = LogBudget(percentMax: 80)
    let states = [799, 800, 801, 790, 761, 760].map { used in
      budget.update(usedBytes: used, limitBytes: 1000)
      return budget.isExceeded
    }
    #expect(states == [false, false, true, true, true, false])
    budget.update(usedBytes: .max, limitBytes: nil)
    #expect(!budget.isExceeded)
  }

  @Test func `a closed valve holds until it opens`() async throws {
    let valve = LogValve()
    try await valve.pass()
    valve.set(isOpen: false)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<3 { group.addTask { try await valve.pass() } }
      valve.set(isOpen: true)
      try await group.waitForAll()
    }
  }

  @Test func `waiting at a closed valve can be cancelled`() async {
    let valve = LogValve()
    valve.set(isOpen: false)
    await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await valve.pass() }
      group.cancelAll()
      await #expect(throws: CancellationError.self) { try await group.next() }
    }
  }
}
