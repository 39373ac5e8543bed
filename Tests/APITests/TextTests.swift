import Models
import Store
import Testing

@testable import API

@Suite struct TextTests {
  @Test func `A cursor comes back whole, whatever is in it, and only for its own question`() throws {
    let question = ["events", "EPIC-001", "cooking:error"]
    for part in ["", "1771072500000-0", "a.b\u{1F}c", "Grüße\n"] {
      let text = Cursor([part, "2"]).text(for: question)
      #expect(try Cursor(text, for: question, count: 2).parts == [part, "2"])
      #expect(
        text.utf8.allSatisfy { "._-".utf8.contains($0) || (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) })
      #expect(throws: Problem.self) { try Cursor(text, for: ["events", "EPIC-002", "cooking:error"], count: 2) }
      #expect(throws: Problem.self) { try Cursor(text, for: question, count: 1) }
    }
    for text in ["", ".", "1", "1.x.y", "2" + Cursor(["a"]).text(for: question).dropFirst(), "!!!!", "1.2.3.4.5.6"] {
      #expect(throws: Problem.self) { try Cursor(text, for: question, count: 1) }
    }
  }

  @Test func `A query is percent-encoded UTF-8, and no name stands twice`() throws {
    #expect(try QueryText.parse("a=1&b=x%20y+z&c=&d") == ["a": "1", "b": "x y z", "c": "", "d": ""])
    #expect(try QueryText.parse(nil) == [:])
    #expect(try QueryText.parse("%61=%C3%A4") == ["a": "ä"])
    for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=1&a=2", "a=1&%61=2", (0..<100).map { "p\($0)=1" }.joined(separator: "&")] {
      #expect(throws: Problem.self, "\(text)") { try QueryText.parse(text) }
    }
  }

  @Test func `CSV quotes what has a comma, a quote or a line break in it`() {
    let line = CSV.line(["a", "b,c", #"say "hi""#, "two\nlines", "", "ä"])
    #expect(String(decoding: line, as: UTF8.self) == "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",,ä\r\n")
  }

  @Test func `JSON goes out in order, with raw values as they are and no number that is none`() {
    let value: JSONValue = [
      "b": 1, "a": ["x", .null, true], "raw": .raw(Array("{\"n\":1.10}".utf8)), "nan": .number(.nan), "n": .number(-0.5),
    ]
    #expect(String(decoding: value.encoded, as: UTF8.self) == #"{"b":1,"a":["x",null,true],"raw":{"n":1.10},"nan":null,"n":-0.5}"#)
  }
}

@Suite struct CommandViewTests {
  private func event(_ type: String, _ data: String, second: Int64 = 1) throws -> Event {
    Event(
      type: try EventType(type), applianceID: try ApplianceID("EPIC-001"), timestamp: Timestamp(microseconds: second * 1_000_000),
      data: Array(data.utf8))
  }

  @Test func `A command's events make its state, and what is settled stays so`() throws {
    let requested = try event(
      "command:requested",
      #"{"command_id":"c1","type":"cooking:stop","expires_at":"1970-01-01T00:00:10Z","user_id":"demo","data":{"n":1.10}}"#)
    var view = try #require(CommandView(requestedBy: requested))
    #expect(view.state == .requested)
    #expect(view.data.map { String(decoding: $0, as: UTF8.self) } == #"{"n":1.10}"#)
    view.apply(try event("command:sent", #"{"command_id":"other"}"#))
    #expect(view.state == .requested)
    view.apply(try event("command:sent", #"{"command_id":"c1"}"#, second: 2))
    #expect((view.state, view.sentAt?.microseconds, view.isSettled) == (.sent, 2_000_000, false))
    view.apply(try event("command:failed", #"{"command_id":"c1","code":"COMMAND_TIMEOUT","message":"late"}"#, second: 3))
    #expect((view.state, view.code, view.settledAt?.microseconds) == (.failed, "COMMAND_TIMEOUT", 3_000_000))
    view.apply(try event("command:acknowledged", #"{"command_id":"c1"}"#, second: 4))
    #expect(view.state == .failed)
  }

  @Test func `Only a request begins a command`() throws {
    #expect(CommandView(requestedBy: try event("command:sent", #"{"command_id":"c1","type":"cooking:stop"}"#)) == nil)
    #expect(CommandView(requestedBy: try event("command:requested", #"{"type":"cooking:stop"}"#)) == nil)
  }
}
