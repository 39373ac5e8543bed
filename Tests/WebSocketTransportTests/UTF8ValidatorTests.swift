import Testing

@testable import WebSocketTransport

@Suite struct UTF8ValidatorTests {
  private func accepts(_ pieces: [[UInt8]]) -> Bool {
    var validator = UTF8Validator()
    for piece in pieces {
      guard piece.withUnsafeBytes({ validator.accept($0) }) else { return false }
    }
    return validator.isComplete
  }

  @Test(arguments: [
    "", "plain ASCII, longer than one word of eight", "κόσμε", "\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}", "aé日𝄞b",
    "\u{D7FF}\u{E000}",
  ])
  func `Valid text is accepted in every split`(text: String) {
    let bytes = Array(text.utf8)
    for split in 0...bytes.count {
      #expect(accepts([Array(bytes[..<split]), Array(bytes[split...])]))
    }
    #expect(accepts(bytes.map { [$0] }))
  }

  @Test func `Every sequence of two bytes is judged as the standard library judges it`() {
    for first in UInt8.min...UInt8.max {
      for second in UInt8.min...UInt8.max {
        let bytes = [first, second]
        #expect(accepts([bytes]) == (String(validating: bytes, as: UTF8.self) != nil))
      }
    }
  }

  @Test(
    arguments: [
      [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF],  // overlong
      [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],  // surrogates
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0x80], [0xE2, 0x28, 0xA1],
    ] as [[UInt8]])
  func `Invalid text is refused in every split, also behind ASCII`(bytes: [UInt8]) {
    let text = Array("0123456789".utf8) + bytes
    for split in 0...text.count {
      #expect(!accepts([Array(text[..<split]), Array(text[split...])]))
    }
  }

  @Test(arguments: [[0xC3], [0xE6, 0x97], [0xF0, 0x9D, 0x84]] as [[UInt8]])
  func `Text that ends inside a character is not complete`(bytes: [UInt8]) {
    #expect(!accepts([bytes]))
  }

  @Test func `The first byte that cannot be continued is refused at once`() {
    var validator = UTF8Validator()
    let accepted = ([0xED, 0xA0] as [UInt8]).withUnsafeBytes { validator.accept($0) }
    #expect(!accepted)
  }
}
