import Models
import Testing

@testable import Ingest

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

  @Test func `of a heater module's frame it holds 1 KiB`() {
    var lines = DeadLetterLines()
    let message = Intake.RejectedMessage(
      topic: "reefnet/a/status", rejection: Rejection(reason: .malformedPayload, explanation: "no"),
      payload: Array(repeating: 0, count: 1025))
    let line = lines.line(for: message, at: IntakeTests.now) ?? ""
    #expect(line.count { $0 == "\\" } == 1024 && line.hasSuffix("…'"))
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
