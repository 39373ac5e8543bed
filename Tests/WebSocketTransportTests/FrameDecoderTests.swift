import NIOCore
import Testing
import WebSocketTestClient

@testable import WebSocketTransport

@Suite struct FrameDecoderTests {
  private static let messageBytesMax = 300

  private func decode(_ pieces: [[UInt8]], messageBytesMax: Int = FrameDecoderTests.messageBytesMax) -> [FrameEvent] {
    var decoder = FrameDecoder(messageBytesMax: messageBytesMax)
    var events: [FrameEvent] = []
    for piece in pieces {
      var input = ByteBuffer(bytes: piece)
      while let event = decoder.next(&input) { events.append(event) }
      #expect(input.readableBytes == 0)
    }
    return events
  }

  /// Whole, byte by byte, and cut in two at every place: the events must be the same.
  private func expect(_ frames: [ClientFrame], _ events: [FrameEvent], sourceLocation: SourceLocation = #_sourceLocation) {
    expect(frames.encoded, events, sourceLocation: sourceLocation)
  }

  private func expect(_ bytes: [UInt8], _ events: [FrameEvent], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(decode(bytes.map { [$0] }) == events, "byte by byte", sourceLocation: sourceLocation)
    for split in 0...bytes.count {
      let found = decode([Array(bytes[..<split]), Array(bytes[split...])])
      #expect(found == events, "split at \(split)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: [0, 1, 7, 8, 125, 126, 127, 255, 300])
  func `A text of any length comes through every split`(count: Int) {
    let text = (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) }
    expect([.text(text)], [.text(text)])
  }

  @Test func `A length of 65536 bytes and more is read`() {
    let text = [UInt8](repeating: UInt8(ascii: "x"), count: 70_000)
    #expect(decode([ClientFrame.text(text).encoded], messageBytesMax: 70_000) == [.text(text)])
  }

  @Test func `Several frames in one piece give their events in order`() {
    expect(
      [.text("one"), .ping([1, 2]), .text("two"), .pong([3]), .text("")],
      [
        .text(Array("one".utf8)), .ping([1, 2]), .text(Array("two".utf8)), .pong([3]), .text([]),
      ])
  }

  @Test func `Fragments become one message, with control frames between them`() {
    expect(
      [
        .text("Hel", isFinal: false), .ping([7]), .continuation("", isFinal: false), .pong(), .continuation("lo", isFinal: true),
        .text("next"),
      ], [.ping([7]), .pong([]), .text(Array("Hello".utf8)), .text(Array("next".utf8))])
  }

  @Test func `A character may be split between fragments`() {
    let bytes = Array("a𝄞b".utf8)
    for split in 0...bytes.count {
      expect([.text(Array(bytes[..<split]), isFinal: false), .continuation(Array(bytes[split...]), isFinal: true)], [.text(bytes)])
    }
  }

  @Test func `Invalid UTF-8 is told within the fragment that brings it, before the message ends`() {
    expect([.text([0x61, 0xED], isFinal: false), .continuation([0xA0, 0x80], isFinal: false)], [.violation(.invalidUTF8)])
    expect([.text([0xC3])], [.violation(.invalidUTF8)])
    expect([.text([0xC3], isFinal: false), .continuation([], isFinal: true)], [.violation(.invalidUTF8)])
  }

  @Test func `A payload with every mask and every offset is unmasked`() {
    let text = Array("The quick brown fox jumps over the lazy dog".utf8)
    for mask in [[0, 0, 0, 0], [255, 255, 255, 255], [1, 2, 3, 4], [0x80, 0x40, 0x20, 0x10]] as [[UInt8]] {
      expect([ClientFrame(first: 0x81, payload: text, mask: mask)], [.text(text)])
    }
  }

  @Test func `Unmasked frames are refused`() {
    expect([ClientFrame(first: 0x81, payload: [0x61], mask: nil)], [.violation(.unmasked)])
    expect([ClientFrame(first: 0x89, payload: [], mask: nil)], [.violation(.unmasked)])
  }

  @Test(arguments: [0x40, 0x20, 0x10, 0x70] as [UInt8])
  func `Reserved bits are refused`(bits: UInt8) {
    expect([ClientFrame(first: 0x81 | bits, payload: [0x61])], [.violation(.reservedBits)])
    expect([ClientFrame(first: 0x89 | bits, payload: [])], [.violation(.reservedBits)])
  }

  @Test(arguments: [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] as [UInt8])
  func `Reserved opcodes are refused`(opcode: UInt8) {
    expect([ClientFrame(first: 0x80 | opcode, payload: [])], [.violation(.reservedOpcode(opcode))])
  }

  @Test func `Binary is refused`() {
    expect([ClientFrame(first: 0x82, payload: [1])], [.violation(.binary)])
    expect([ClientFrame(first: 0x02, payload: [1])], [.violation(.binary)])
  }

  @Test(arguments: [0x08, 0x09, 0x0A] as [UInt8])
  func `A control frame that is fragmented or too long is refused`(opcode: UInt8) {
    expect([ClientFrame(first: opcode, payload: [])], [.violation(.fragmentedControl)])
    expect([ClientFrame(first: 0x80 | opcode, payload: [UInt8](repeating: 3, count: 126))], [.violation(.controlTooLong)])
    expect([ClientFrame(first: 0x80 | opcode, payload: [3, 232], lengthBytes: 2)], [.violation(.controlTooLong)])
  }

  @Test func `A ping of 125 bytes is legal`() {
    let payload = (0..<125).map { UInt8($0) }
    expect([.ping(payload)], [.ping(payload)])
  }

  @Test func `A length that is not in its shortest form is refused`() {
    expect([ClientFrame(first: 0x81, payload: [UInt8](repeating: 0x61, count: 125), lengthBytes: 2)], [.violation(.lengthNotMinimal)])
    expect([ClientFrame(first: 0x81, payload: [UInt8](repeating: 0x61, count: 126), lengthBytes: 8)], [.violation(.lengthNotMinimal)])
    expect([0x81, 0xFF, 0x80, 0, 0, 0, 0, 1, 0, 0], [.violation(.lengthNotMinimal)])
  }

  @Test func `A fragment without a start and a start within a message are refused`() {
    expect([.continuation("a", isFinal: true)], [.violation(.continuationWithoutStart)])
    expect([.text("a"), .continuation("b", isFinal: true)], [.text([0x61]), .violation(.continuationWithoutStart)])
    expect([.text("a", isFinal: false), .text("b")], [.violation(.messageNotFinished)])
    expect([.text("a", isFinal: false), ClientFrame(first: 0x82, payload: [])], [.violation(.messageNotFinished)])
  }

  @Test func `A message over the limit is refused by its header alone`() {
    let tooBig = FrameEvent.violation(.messageTooBig(bytesMax: Self.messageBytesMax))
    expect([0x81, 0xFE, 0x01, 0x2D], [tooBig])
    expect([0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [tooBig])
  }

  @Test func `Fragments count together towards the limit`() {
    let part = [UInt8](repeating: 0x61, count: 150)
    expect([.text(part, isFinal: false), .continuation(part, isFinal: true)], [.text(part + part)])
    expect(
      [.text(part, isFinal: false), .continuation(part, isFinal: false), .continuation([0x61], isFinal: true)],
      [.violation(.messageTooBig(bytesMax: Self.messageBytesMax))])
  }

  @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] as [UInt16])
  func `Legal close codes are taken`(code: UInt16) {
    expect([.close(code, "bye"), .text("late")], [.close(WebSocketCloseCode(rawValue: code))])
  }

  @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] as [UInt16])
  func `Illegal close codes are refused`(code: UInt16) {
    expect([.close(code)], [.violation(.invalidClose)])
  }

  @Test func `A Close without a code is legal, one of one byte or with an invalid reason is not`() {
    expect([.close()], [.close(.noStatus)])
    expect([.close([3])], [.violation(.invalidClose)])
    expect([.close([3, 232, 0xC3])], [.violation(.invalidUTF8)])
  }

  @Test func `Nothing is read after a violation`() {
    expect([ClientFrame(first: 0x83, payload: []), .text("more"), .ping()], [.violation(.reservedOpcode(3))])
  }

  @Test func `Every truncation gives no event and no failure`() {
    let bytes = [ClientFrame.text("Hel", isFinal: false), .continuation("lo", isFinal: true)].encoded
    for count in 0..<bytes.count { #expect(decode([Array(bytes[..<count])]) == []) }
  }
}
