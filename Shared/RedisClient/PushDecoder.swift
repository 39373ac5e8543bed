/// Understands what a server sends to a subscriber: `message`, `subscribe`, `unsubscribe` and `pong`. Copies nothing but the channel's name,
/// into memory that it uses again.
final class PushDecoder: ReplySink {
  enum Signal {
    case subscribed(String)
    case unsubscribed(String)
    case pong
    case error(RedisError)
  }

  private enum Kind { case message, subscribe, unsubscribe, pong }

  private let message: (_ channel: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) -> Void
  private let signal: (Signal) -> Void
  private var kind = Kind.pong
  private var channel: [UInt8] = []
  /// Elements of the array under way that are still to come, and how many have been.
  private var missing = 0
  private var position = 0

  init(
    message: @escaping (_ channel: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) -> Void, signal: @escaping (Signal) -> Void
  ) {
    self.message = message
    self.signal = signal
  }

  func array(count: Int) -> Bool {
    guard missing == 0, count == 3 || count == 2 else { return false }
    missing = count
    position = 0
    return true
  }

  func text(_ textKind: ReplyTextKind, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard missing > 0 else { return outsideOfArrays(textKind, bytes) }
    defer {
      missing -= 1
      position += 1
    }
    guard textKind == .string else { return false }
    switch (position, kind) {
    case (0, _): return begin(bytes)
    case (1, .pong): signal(.pong)
    case (1, _):
      channel.removeAll(keepingCapacity: true)
      channel.append(contentsOf: bytes)
    case (2, .message): channel.withUnsafeBytes { message($0, bytes) }
    default: return false
    }
    return true
  }

  private func outsideOfArrays(_ textKind: ReplyTextKind, _ bytes: UnsafeRawBufferPointer) -> Bool {
    switch textKind {
    case .status: signal(.pong)
    case .error: signal(.error(RedisError(reply: String(decoding: bytes, as: UTF8.self))))
    case .string: return false
    }
    return true
  }

  private func begin(_ name: UnsafeRawBufferPointer) -> Bool {
    let names: [(StaticString, Kind, Int)] = [
      ("message", .message, 3), ("subscribe", .subscribe, 3), ("unsubscribe", .unsubscribe, 3), ("pong", .pong, 2),
    ]
    for (text, candidate, count) in names
    where missing == count && name.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) {
      kind = candidate
      return true
    }
    return false
  }

  func integer(_ value: Int64) -> Bool {
    guard missing == 1, position == 2, kind == .subscribe || kind == .unsubscribe else { return false }
    missing = 0
    let name = String(decoding: channel, as: UTF8.self)
    signal(kind == .subscribe ? .subscribed(name) : .unsubscribed(name))
    return true
  }

  func null() -> Bool { false }
  func replyCompleted() {}
}
