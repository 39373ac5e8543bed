/// JSON strings, from Swift's and back.
package enum JSONString {
  /// The string behind a checked JSON string with its quotes; a lone surrogate becomes U+FFFD.
  package static func decode(_ quoted: some RandomAccessCollection<UInt8>) -> String {
    let inner = quoted.dropFirst().dropLast()
    guard inner.contains(UInt8(ascii: "\\")) else { return String(decoding: inner, as: UTF8.self) }
    var units: [UInt16] = []
    var text = ""
    var iterator = inner.makeIterator()
    var plain: [UInt8] = []
    func flushUnits() {
      text += String(decoding: units, as: UTF16.self)
      units.removeAll(keepingCapacity: true)
    }
    func flushPlain() {
      text += String(decoding: plain, as: UTF8.self)
      plain.removeAll(keepingCapacity: true)
    }
    while let byte = iterator.next() {
      guard byte == UInt8(ascii: "\\"), let escaped = iterator.next() else {
        flushUnits()
        plain.append(byte)
        continue
      }
      flushPlain()
      if escaped == UInt8(ascii: "u") {
        units.append(hexadecimalUnit(&iterator))
      } else {
        flushUnits()
        plain.append(control(escaped))
      }
    }
    flushUnits()
    flushPlain()
    return text
  }

  /// Appends `text` to `output` as a JSON string with its quotes, escaping only what RFC 8259, section 7, asks for.
  package static func append(_ text: String, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): output += [UInt8(ascii: "\\"), byte]
      case 0x0A: output += Array("\\n".utf8)
      case 0x0D: output += Array("\\r".utf8)
      case 0x09: output += Array("\\t".utf8)
      case ..<0x20:
        let digits = Array("0123456789abcdef".utf8)
        output += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func control(_ escaped: UInt8) -> UInt8 {
    switch escaped {
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "t"): 0x09
    default: escaped
    }
  }

  private static func hexadecimalUnit(_ iterator: inout some IteratorProtocol<UInt8>) -> UInt16 {
    var unit: UInt32 = 0
    for _ in 0..<4 { unit = unit << 4 | (iterator.next().flatMap(JSONScanner.hexadecimalValue) ?? 0) }
    return UInt16(truncatingIfNeeded: unit)
  }
}

/// JSON numbers.
package enum JSONNumber {
  /// The finite double nearest to a JSON number's text, or nil if the text is no number or beyond a double's range.
  package static func double(_ text: some Collection<UInt8>) -> Double? {
    guard let first = text.first, first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
      return nil
    }
    guard let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite else { return nil }
    return value
  }
}

extension [UInt8] {
  /// Appends text as it is.
  package mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends `text` as a JSON string with its quotes.
  package mutating func append(json text: String) { JSONString.append(text, to: &self) }

  /// Appends a finite number, whole ones without a fraction.
  package mutating func append(number: Double) {
    append(contentsOf: (Int(exactly: number).map(String.init) ?? String(number)).utf8)
  }
}
