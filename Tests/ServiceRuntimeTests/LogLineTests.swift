import Foundation
import Logging
import Testing

@testable import ServiceRuntime

@Suite struct `Log lines` {
  private func record(
    _ message: String, _ fields: [(key: String, value: Logger.MetadataValue)] = [], time: Int64 = 1_771_072_200_007
  ) -> LogLine.Record {
    LogLine.Record(
      time: time, level: .info, service: "probe", label: "probe.part",
      message: message, error: nil, fields: fields)
  }

  @Test func `a record is one JSON object on one line`() {
    let line = String(decoding: LogLine.json(record("hello", [("appliance", "EPIC-001"), ("time", "noon")])), as: UTF8.self)
    #expect(
      line == #"{"time":"2026-02-14T12:30:00.007Z","level":"info","service":"probe","logger":"probe.part","message":"hello","#
        + #""appliance":"EPIC-001","_time":"noon"}"# + "\n")
  }

  @Test(arguments: ["quote \" and \\", "line\nbreak\r\n\ttab", "\u{0}\u{1B}[31m\u{7F}\u{85}\u{2028}", "größer 🍲", ""])
  func `any text is escaped so that a JSON reader gets it back`(_ text: String) throws {
    let line = LogLine.json(record(text, [("k", .array([.string(text), .dictionary([text: "v"])]))]))
    #expect(line.filter { $0 < 0x20 } == [0x0A])
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
    #expect(object["message"] as? String == text)
    let array = try #require(object["k"] as? [Any])
    #expect(array.first as? String == text)
    #expect((array.last as? [String: String]) == [text: "v"])
    #expect(LogLine.plain(record(text)).filter { $0 < 0x20 } == [0x0A])
  }

  @Test func `whatever is logged, a line is bounded`() throws {
    let long = String(repeating: "é", count: 100_000)
    var deep = Logger.MetadataValue.string("end")
    for _ in 0..<1000 { deep = .array([deep]) }
    let fields = (0..<500).map { (key: "k\($0)", value: Logger.MetadataValue.string(long)) } + [(key: "deep", value: deep)]
    let line = LogLine.json(record(long, fields))
    #expect(line.count < 80_000)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
    #expect((object["message"] as? String)?.hasSuffix("é…(+197952 bytes)") == true)
    #expect((try JSONSerialization.jsonObject(with: Data(LogLine.json(record("m", [("deep", deep)])))) as? [String: Any])?.count == 6)
  }

  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_799_999, "2000-02-29T23:59:59.999Z"),
    (1_709_164_800_000, "2024-02-29T00:00:00.000Z"), (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
    (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
  ])
  func `times are dates in UTC, leap days among them`(_ time: Int64, _ text: String) {
    #expect(String(decoding: LogLine.plain(record("", time: time)), as: UTF8.self).hasPrefix(text + " "))
  }

  @Test func `plain lines show what a person reads first`() {
    let line = String(decoding: LogLine.plain(record("hello", [("appliance", "EPIC-001")])), as: UTF8.self)
    #expect(line == "2026-02-14T12:30:00.007Z info probe: hello appliance=\"EPIC-001\"\n")
  }

  @Test func `a handler merges its own, the provider's and the event's fields, the latter winning`() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "martlet-log-\(UUID().uuidString)").path
    let descriptor = open(path, O_CREAT | O_RDWR, 0o600)
    defer { close(descriptor) }
    let sink = LogSink(service: "probe", format: .json, descriptor: descriptor)
    let provider = Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
    var logger = Logger(label: "l") { LineLogHandler(label: $0, sink: sink, level: .info, metadataProvider: provider) }
    logger[metadataKey: "a"] = "own"
    logger[metadataKey: "b"] = "own"
    logger.debug("not this")
    logger.info("this", metadata: ["c": "event"])
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: String])
    #expect(object["a"] == "own" && object["b"] == "provider" && object["c"] == "event" && object["message"] == "this")
  }
}
