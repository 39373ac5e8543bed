import Testing

@testable import Martletctl

@Suite struct `A live event's line` {
  private func line(_ message: String, _ style: EventLine.Style) -> String {
    String(decoding: EventLine.line(Array(message.utf8), style), as: UTF8.self)
  }

  private static let message =
    #"{"type":"cooking:progress","appliance_id":"EPIC-001","timestamp":"2026-02-14T12:35:00Z","#
    + "\"data\":{\"progress_pct\":42,\r\n\"temperature\":148.50,\"stage_name\":\"Saute Onions\",\"cv_status\":{\"class\":\"raw\"}},\"id\":\"1-0\"}"

  @Test func `readable, it has the time, the appliance, the type and every member`() {
    #expect(
      line(Self.message, .readable) == "2026-02-14T12:35:00Z EPIC-001 cooking:progress progress_pct=42 temperature=148.50 "
        + "stage_name=\"Saute Onions\" cv_status.class=\"raw\"\n")
  }

  @Test func `as JSON, it is the message on one line`() {
    #expect(line(Self.message, .json) == Self.message.replacing("\r\n", with: "  ") + "\n")
  }

  @Test func `what is no event is shown all the same, and nothing reaches the terminal that it would obey`() {
    #expect(line("no event \u{1B}[2J\u{9B}\u{202E}\u{2028}", .readable) == "? no event \\u{1b}[2J\\u{9b}\\u{202e}\\u{2028}\n")
    #expect(line(String(repeating: "x", count: 1_000_000), .readable).count == EventLine.characterCountMax + 2)
  }

  @Test(arguments: [("900", 900), ("90s", 90), ("15m", 900), ("12h", 43_200), ("366d", 31_622_400)])
  func `a lifetime is a number with or without a unit`(_ text: String, _ seconds: Int) throws {
    #expect(try Lifetime(text).duration == .seconds(seconds))
  }

  @Test(arguments: ["", "0", "-5", "m", "1.5h", "367d", "99999999999999999999", "9223372036854775807d", "10 m", "15M"])
  func `what is no lifetime is refused`(_ text: String) {
    #expect(throws: (any Error).self) { try Lifetime(text) }
  }
}
