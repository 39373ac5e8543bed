internal import Models

/// A frame that waits for one end of a session: what the broker must know of it, and what the end is sent.
///
/// On Redis: a letter for its kind, the session's id, the text frame's payload.
struct WatchFrame: Hashable, Sendable {
  enum Kind: UInt8, Sendable {
    case plain = 0x70  // p
    /// Only for clients that understand it.
    case credentials = 0x63  // c
    /// The session's last.
    case ended = 0x65  // e
  }

  let kind: Kind
  let watch: WatchID
  let text: [UInt8]

  init(_ kind: Kind, _ watch: WatchID, _ text: [UInt8]) { (self.kind, self.watch, self.text) = (kind, watch, text) }

  /// Nil for what `encoded()` did not write.
  init?(parsing bytes: [UInt8]) {
    guard bytes.count > 37, let kind = Kind(rawValue: bytes[0]), let watch = WatchID(String(decoding: bytes[1..<37], as: UTF8.self)) else {
      return nil
    }
    self.init(kind, watch, Array(bytes[37...]))
  }

  func encoded() -> [UInt8] { [kind.rawValue] + Array(watch.text.utf8) + text }
}
