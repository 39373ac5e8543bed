/// Finds the DUP flag of a message. libmosquitto's public message has none, but its public log callback tells it, on the same thread, just
/// before the message callback: `Client <id> received PUBLISH (d1, q1, r0, m7, '<topic>', … (12 bytes))`.
///
/// The line's form is no promise of the library. So the flag is believed only when line and message name the same packet, and a message
/// without its line counts as a possible redelivery: it is then refused only if the log has seen the very same packet and payload.
struct PublishLogLine {
  private static let template: [UInt8] = Array("?, q?, r?, m".utf8)
  private let prefix: [UInt8]
  private var latest: (isDuplicate: Bool, packetID: UInt16)?

  init(clientID: String) { prefix = Array("Client \(clientID) received PUBLISH (d".utf8) }

  /// - Parameter line: NUL-terminated.
  mutating func read(_ line: UnsafePointer<CChar>) {
    for (index, byte) in prefix.enumerated() where UInt8(bitPattern: line[index]) != byte { return }
    latest = Self.parse(line + prefix.count)
  }

  /// `1, q1, r0, m7, …` → (true, 7)
  private static func parse(_ text: UnsafePointer<CChar>) -> (Bool, UInt16)? {
    for (index, byte) in template.enumerated() {
      guard text[index] != 0, byte == UInt8(ascii: "?") || UInt8(bitPattern: text[index]) == byte else { return nil }
    }
    var packetID: UInt32 = 0
    var next = text + template.count
    while let digit = UInt32(exactly: next.pointee).map({ $0 &- 48 }), digit < 10, packetID <= 65_535 {
      packetID = packetID * 10 + digit
      next += 1
    }
    let flag = UInt8(bitPattern: text[0])
    guard let packetID = UInt16(exactly: packetID), flag == UInt8(ascii: "0") || flag == UInt8(ascii: "1") else { return nil }
    return (flag == UInt8(ascii: "1"), packetID)
  }

  mutating func takeIsDuplicate(packetID: UInt16) -> Bool {
    defer { latest = nil }
    guard let latest, latest.packetID == packetID else { return true }
    return latest.isDuplicate
  }
}
