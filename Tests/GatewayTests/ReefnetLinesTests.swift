import InMemoryLogging
import Logging
import Models
import Testing

@testable import Gateway

/// What the service's log says of frames that are not acted on.
@Suite struct ReefnetLinesTests {
  private static let start = Timestamp(microseconds: 1_772_226_910_000_000)

  private let journal = InMemoryLogHandler()
  private let lines: ReefnetLines

  init() { lines = ReefnetLines(Logger(label: "test") { [journal] _ in journal }) }

  private var told: [String] { journal.entries.map { "\($0.level): \($0.message)" } }

  @Test func `Names and bytes from outside are escaped and cut, and a frame that names a token is not shown`() {
    var own = ReefnetLines.ofOneConnection
    let name = "fan\u{7}\n" + String(repeating: "x", count: 300)
    lines.refused("unknown: \(name)", from: "a\nb", Array("{\n}".utf8), within: &own, at: Self.start)
    lines.refused("why", from: "m", Array(repeating: 0xFF, count: 1025), within: &own, at: Self.start)
    lines.refused("why", from: "m", Array(#"{"Token":1,"token":"hush"}"#.utf8), within: &own, at: Self.start)
    let cut = String(repeating: "x", count: 256 - "unknown: fan__".count)
    #expect(
      told == [
        #"warning: A frame on /ws/reefnet from a\x0ab: unknown: fan\x07\x0a\#(cut)…; it was '{\x0a}'"#,
        "warning: A frame on /ws/reefnet from m: why; it was '" + String(repeating: #"\xff"#, count: 1024) + "…'",
        "warning: A frame on /ws/reefnet from m: why; it was 26 bytes that name a token",
      ])
  }

  @Test func `Who sends many has five lines in ten seconds and hides nobody else's, and all together have forty`() {
    var (hostile, honest) = (ReefnetLines.ofOneConnection, ReefnetLines.ofOneConnection)
    for _ in 0..<100 { lines.refused("bad", from: "h", [], within: &hostile, at: Self.start) }
    #expect(told.count == 5)
    lines.refused("odd", from: "m", [], within: &honest, at: Self.start + .seconds(1))
    #expect(told.count == 6 && told[5].hasSuffix("from m: odd; it was '' (and 95 more since the line before)"))
    for _ in 0..<20 {
      var next = ReefnetLines.ofOneConnection
      for _ in 0..<5 { lines.refused("bad", from: "h", [], within: &next, at: Self.start + .seconds(2)) }
    }
    #expect(told.count == 40)
    lines.refused("bad", from: "h", [], within: &hostile, at: Self.start + .seconds(10))
    #expect(told.count == 41 && told[40].contains("(and 66 more since"))
  }
}
