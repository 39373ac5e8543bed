import Models

/// Which dead letters get a line in the service's log: a few in each span of time, then a count. Pure.
struct DeadLetterLines {
  private let linesMax: Int
  private let span: Duration
  private var spanStart: Timestamp?
  private var lineCount = 0
  private var suppressedCount = 0

  init(linesMax: Int = 10, span: Duration = .seconds(10)) {
    self.linesMax = linesMax
    self.span = span
  }

  /// - Returns: the line for this dead letter, or `nil` when there were enough. It holds at most 64 bytes of the payload; of a heater module's 1 KiB, as SPEC has it for reefnet.
  mutating func line(for message: Intake.RejectedMessage, at now: Timestamp) -> String? {
    if let start = spanStart, now >= start, now < start + span {
      guard lineCount < linesMax else {
        suppressedCount += 1
        return nil
      }
    } else {
      (spanStart, lineCount) = (now, 0)
    }
    lineCount += 1
    let earlier = suppressedCount == 0 ? "" : " (and \(suppressedCount) more since the line before)"
    suppressedCount = 0
    let topic = Self.escaped(message.topic.utf8, bytesMax: 128)
    let start = Self.escaped(message.payload, bytesMax: message.topic.hasPrefix("reefnet/") ? 1024 : 64)
    return "A message on '\(topic)' is a dead letter: \(message.rejection.explanation); it starts with '\(start)'\(earlier)"
  }

  /// Printable ASCII as it is, anything else as `\xNN`.
  static func escaped(_ bytes: some Collection<UInt8>, bytesMax: Int) -> String {
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
