import Testing

@testable import RedisClient

@Suite("Reply parser")
struct ReplyParserTests {
  /// Feeds chunks and returns the replies; throws what the parser throws.
  private func parse(_ chunks: [[UInt8]], limits: RedisConfiguration.Limits = .init()) throws -> [RESPValue] {
    var replies: [RESPValue] = []
    let parser = ReplyParser(sink: ReplyAssembler(limits: limits) { replies.append($0) }, unparsedBytesMax: limits.replyBytes)
    for chunk in chunks { try chunk.withUnsafeBytes { bytes throws in try parser.feed(bytes) } }
    return replies
  }

  private static let stream = Array(
    ("+OK\r\n:42\r\n:-7\r\n$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n-WRONGPASS no\r\n"
      + "*3\r\n*2\r\n$1\r\na\r\n:1\r\n*0\r\n-ERR inner\r\n+after\r\n").utf8)

  private static let replies: [RESPValue] = [
    .status("OK"), .integer(42), .integer(-7), .string(Array("he\r\no".utf8)), .string([]), .null, .null, .array([]),
    .error(RedisError(.authentication, "Redis answered: WRONGPASS no")),
    .array([.array([.string([97]), .integer(1)]), .array([]), .error(RedisError(.server("ERR"), "Redis answered: ERR inner"))]),
    .status("after"),
  ]

  @Test func `every split of a stream gives the same replies`() throws {
    for first in 0...Self.stream.count {
      #expect(try parse([Array(Self.stream[..<first]), Array(Self.stream[first...])]) == Self.replies)
      for second in stride(from: first, to: Self.stream.count, by: 7) {
        let chunks = [Self.stream[..<first], Self.stream[first..<second], Self.stream[second...]]
        #expect(try parse(chunks.map { Array($0) }) == Self.replies)
      }
    }
    #expect(try parse(Self.stream.map { [$0] }) == Self.replies)
  }

  @Test func `every truncation gives the replies before it and no error`() throws {
    for count in 0..<Self.stream.count {
      let replies = try parse([Array(Self.stream[..<count])])
      #expect(replies == Array(Self.replies.prefix(replies.count)))
    }
  }

  @Test(arguments: ["hello\r\n", "*9999999999999\r\n", "$-2\r\n", ":x\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{15}\u{3}\u{3}\0\u{2}"])
  func `garbage is an error`(_ text: String) {
    #expect(throws: RedisError.self) { try parse([Array(text.utf8)]) }
  }

  @Test func `replies beyond the limits are errors, however they are announced`() {
    var limits = RedisConfiguration.Limits()
    limits.replyBytes = 100
    limits.replyElements = 10
    #expect(throws: RedisError.self) { try parse([Array("*11\r\n".utf8)], limits: limits) }
    #expect(throws: RedisError.self) { try parse([Array("*4294967296\r\n:1\r\n:1\r\n".utf8)], limits: limits) }
    let line = "$30\r\n" + String(repeating: "x", count: 30) + "\r\n"
    #expect(throws: RedisError.self) { try parse([Array(("*4\r\n" + line + line + line + line).utf8)], limits: limits) }
    #expect(throws: RedisError.self) { try parse([[UInt8](repeating: UInt8(ascii: "+"), count: 101)], limits: limits) }
    #expect(throws: RedisError.self) { try parse([Array(String(repeating: "*1\r\n", count: 9).utf8)]) }
  }

  @Test func `fuzzed streams end in replies or in an error, never in a crash`() {
    var random = SplitMix(state: 7)
    for _ in 0..<3000 {
      var bytes = Self.stream
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: index)
        default: bytes.insert(Array("*$:+-\r\n0123456789".utf8).randomElement(using: &random) ?? 0, at: index)
        }
      }
      _ = try? parse([bytes])
    }
  }

  @Test func `a large array of strings is read`() throws {
    let line = Array("$100\r\n".utf8) + [UInt8](repeating: 120, count: 100) + [13, 10]
    let bytes = Array("*5000\r\n".utf8) + (0..<5000).flatMap { _ in line }
    #expect(try parse([bytes]).first?.array?.count == 5000)
  }
}

struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
