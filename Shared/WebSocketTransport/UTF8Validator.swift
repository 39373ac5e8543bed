/// Checks UTF-8 (RFC 3629) that arrives in pieces of any size, and fails at the first byte that no continuation could make valid.
struct UTF8Validator: Sendable {
  /// Continuation bytes that the character begun still wants.
  private var wanted: UInt8 = 0
  /// What the next continuation byte may be: narrower than 80 to BF after E0, ED, F0 and F4, which is what refuses overlong forms,
  /// surrogates and what lies beyond U+10FFFF.
  private var lower: UInt8 = 0x80
  private var upper: UInt8 = 0xBF

  /// Whether the text could end here.
  var isComplete: Bool { wanted == 0 }

  /// Takes the next piece; false when the text is invalid from here on.
  mutating func accept(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var index = 0
    while index < bytes.count {
      if wanted == 0 {
        index = Self.endOfASCII(bytes, from: index)
        if index == bytes.count { break }
      }
      guard accept(bytes[index]) else { return false }
      index += 1
    }
    return true
  }

  /// Where the run of ASCII that begins at `start` ends; eight bytes at a time.
  private static func endOfASCII(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    var index = start
    while index + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      if word & 0x8080_8080_8080_8080 != 0 { break }
      index += 8
    }
    while index < bytes.count, bytes[index] < 0x80 { index += 1 }
    return index
  }

  private mutating func accept(_ byte: UInt8) -> Bool {
    guard wanted == 0 else {
      guard byte >= lower, byte <= upper else { return false }
      (wanted, lower, upper) = (wanted - 1, 0x80, 0xBF)
      return true
    }
    switch byte {
    case 0x00...0x7F: return true
    case 0xC2...0xDF: (wanted, lower, upper) = (1, 0x80, 0xBF)
    case 0xE0: (wanted, lower, upper) = (2, 0xA0, 0xBF)
    case 0xED: (wanted, lower, upper) = (2, 0x80, 0x9F)
    case 0xE1...0xEF: (wanted, lower, upper) = (2, 0x80, 0xBF)
    case 0xF0: (wanted, lower, upper) = (3, 0x90, 0xBF)
    case 0xF1...0xF3: (wanted, lower, upper) = (3, 0x80, 0xBF)
    case 0xF4: (wanted, lower, upper) = (3, 0x80, 0x8F)
    default: return false
    }
    return true
  }
}
