/// The name of one watch session: a UUID (the signaling document's `session_id`), in lower case.
///
/// Its last digit is the shard of its device, so that all keys of a session can be found from its name alone and lie together.
package struct WatchID: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let text: String

  /// Nil for what is no UUID of 36 characters.
  package init?(_ text: String) {
    guard UUIDText.isValid(text) else { return nil }
    self.text = text.lowercased()
  }

  /// A version 4 UUID of these random bits for a watch of `device`.
  package init(device: ApplianceID, random: (UInt64, UInt64)) {
    let high = random.0 & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
    let low = random.1 & 0x3FFF_FFFF_FFFF_FFF0 | 0x8000_0000_0000_0000 | UInt64(Bus.shard(of: device))
    let digits = [high, low].map { word in
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 16 - text.utf8.count) + text
    }.joined()
    var text = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { text.append("-") }
      text.append(digit)
    }
    self.text = text
  }

  package var shard: Int { text.last?.hexDigitValue ?? 0 }
  /// What stands for it in a TURN user name and in logs.
  package var short: String { String(text.prefix(8)) }
  package var description: String { text }

  package static func < (left: WatchID, right: WatchID) -> Bool { left.text < right.text }
}

/// Why a watch session ended, in the words of the signaling document's `watch_ended`.
package enum WatchEndReason: String, Hashable, Sendable, CaseIterable {
  case viewerDisconnected = "viewer_disconnected"
  case deviceDisconnected = "device_disconnected"
  case userEnded = "user_ended"
  case timeout
  case error
}
