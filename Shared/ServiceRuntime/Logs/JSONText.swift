/// Text as a JSON string, bounded.
enum JSONText {
  /// Appends `text` in quotes, cut after `bytesMax` bytes of it.
  static func append(_ text: String, to bytes: inout [UInt8], bytesMax: Int) {
    bytes.append(UInt8(ascii: "\""))
    appendEscaped(text, to: &bytes, bytesMax: bytesMax)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Appends `text` with quotes, backslashes and control characters escaped. A text that is longer than `bytesMax` bytes is
  /// cut between two characters and followed by `…(+N bytes)`.
  static func appendEscaped(_ text: String, to bytes: inout [UInt8], bytesMax: Int) {
    var taken = 0
    for scalar in text.unicodeScalars {
      let width = UTF8.width(scalar)
      guard taken + width <= bytesMax else {
        bytes += Array("…(+\(text.utf8.count - taken) bytes)".utf8)
        return
      }
      taken += width
      append(scalar, to: &bytes)
    }
  }

  private static func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
    switch scalar {
    case "\"": bytes += Array("\\\"".utf8)
    case "\\": bytes += Array("\\\\".utf8)
    case "\n": bytes += Array("\\n".utf8)
    case "\r": bytes += Array("\\r".utf8)
    case "\t": bytes += Array("\\t".utf8)
    // The other control characters, C1 among them, and the two separators that some readers take for a line's end.
    case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
      let digits = String(scalar.value, radix: 16)
      bytes += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
    default: bytes += Array(String(scalar).utf8)
    }
  }
}
