/// Which of many lines of one kind are logged: a few in each span of time, then a count. Pure.
package struct LineBudget: Sendable {
  private let linesMax: Int
  private let span: Duration
  private var spanStart: Timestamp?
  private var lineCount = 0
  private var suppressedCount = 0

  package init(linesMax: Int = 10, span: Duration = .seconds(10)) {
    self.linesMax = linesMax
    self.span = span
  }

  /// How many lines were kept back since the one before; nil when this one is to be kept back too.
  package mutating func admit(at now: Timestamp) -> Int? {
    if let start = spanStart, now >= start, now < start + span {
      guard lineCount < linesMax else {
        suppressedCount += 1
        return nil
      }
    } else {
      (spanStart, lineCount) = (now, 0)
    }
    lineCount += 1
    defer { suppressedCount = 0 }
    return suppressedCount
  }

  /// Bytes from outside as they may stand in a log: printable ASCII as it is, anything else as `\xNN`, cut at `bytesMax`.
  package static func escaped(_ bytes: some Collection<UInt8>, bytesMax: Int) -> String {
    var text = ""
    for byte in bytes.prefix(bytesMax) {
      if (0x20..<0x7F).contains(byte), byte != UInt8(ascii: "\\") {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += byte < 16 ? "\\x0\(String(byte, radix: 16))" : "\\x\(String(byte, radix: 16))"
      }
    }
    return bytes.count > bytesMax ? text + "…" : text
  }
}
