import Testing

@testable import Models

@Suite struct JSONTests {
  private func object(_ text: String) throws -> JSONObject { try JSONObject(parsing: Array(text.utf8)) }

  @Test func `Members keep their text, to the last digit`() throws {
    let parsed = try object(#" { "a" : 1.10 , "b":{"c":[1,2 ,3]}, "long":12345678901234567890.000000000000000000001e-7 } "#)
    #expect(parsed.members.map(\.name) == ["a", "b", "long"])
    #expect(parsed.raw("a").map { String(decoding: $0, as: UTF8.self) } == "1.10")
    #expect(parsed.raw("b").map { String(decoding: $0, as: UTF8.self) } == #"{"c":[1,2 ,3]}"#)
    #expect(parsed.raw("long").map { String(decoding: $0, as: UTF8.self) } == "12345678901234567890.000000000000000000001e-7")
    #expect(parsed.bytes.first == UInt8(ascii: "{") && parsed.bytes.last == UInt8(ascii: "}"))
    #expect(String(decoding: parsed.text(of: parsed.members[0]), as: UTF8.self) == #""a":1.10"#)
  }

  @Test func `Strings resolve every escape`() throws {
    let parsed = try object(#"{"s":"a\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00 é😀","lone":"\ud83d!","\u0061":"key"}"#)
    #expect(parsed.string("s") == "a\"\\/\u{8}\u{C}\n\r\tAé😀 é😀")
    #expect(parsed.string("lone") == "\u{FFFD}!")
    #expect(parsed.string("a") == "key")
  }

  @Test(arguments: ["plain", "quote\" back\\ slash/", "\u{0}\u{1F}\n\r\t", "é😀\u{2028}"])
  func `An encoded string reads back as itself`(text: String) throws {
    var encoded = Array("{\"s\":".utf8)
    encoded.append(json: text)
    encoded.append(UInt8(ascii: "}"))
    #expect(try JSONObject(parsing: encoded).string("s") == text)
  }

  @Test(arguments: [
    "", "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":1e}",
    "{\"a\":-}",
    "{\"a\":tru}", "{\"a\":NaN}", "{\"a\":Infinity}", "{'a':1}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":1} x",
    "{\"a\":[1,]}",
    "{\"a\":\"", "{\"a\":\"\\", "[1]", "1", "null", "\"a\"", "{\"a\":1 \"b\":2}", "{a:1}",
  ])
  func `What is no JSON object is refused`(text: String) {
    #expect(throws: JSONError.self) { try object(text) }
  }

  @Test func `Every truncation of an object is refused`() throws {
    let text = Array(#"{"a":[1,-2.5e+3,{"b":"\u00e9é"}],"c":{"d":true,"e":null}}"#.utf8)
    _ = try JSONObject(parsing: text)
    for count in 0..<text.count { #expect(throws: JSONError.self) { try JSONObject(parsing: Array(text[..<count])) } }
  }

  @Test func `Nesting is bounded`() throws {
    func nested(_ depth: Int) -> String { "{\"a\":" + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}" }
    _ = try object(nested(JSONScanner.depthMax - 1))
    #expect(throws: JSONError.tooDeep(limit: JSONScanner.depthMax)) { try object(nested(JSONScanner.depthMax)) }
    #expect(throws: JSONError.tooDeep(limit: JSONScanner.depthMax)) { try object(nested(1_000_000)) }
  }

  @Test func `A member that stands twice is refused, also when one of them is escaped`() {
    #expect(throws: JSONError.duplicateMember("a")) { try object(#"{"a":1,"\u0061":2}"#) }
  }

  @Test func `Bytes that are no UTF-8 are refused`() {
    #expect(throws: JSONError.invalidUTF8) { try JSONObject(parsing: Array("{\"a\":\"".utf8) + [0xC0, 0xAF] + Array("\"}".utf8)) }
  }

  @Test func `Numbers are finite doubles or none`() throws {
    let parsed = try object(#"{"a":-0.5e1,"big":1e400,"text":"1","no":true}"#)
    #expect(parsed.number("a") == -5)
    #expect(parsed.number("big") == nil)
    #expect(parsed.number("text") == nil)
    #expect(parsed.number("no") == nil)
  }
}
