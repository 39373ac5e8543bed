/// How far one connection is in one list of frames on Redis: what it was sent, and what of that its client is known to have. Pure.
///
/// Frames have the numbers that `Switchboard` gives them. They stay on Redis until a pong has shown that the client has them, so that whoever takes its
/// place is told the rest. A client that answers no pings does not make them stay for long: past the bounds the oldest count as had.
struct Delivery: Hashable, Sendable {
  static let countMax = 128
  static let lengthMax_bytes = 192 * 1024

  /// The number of the oldest frame that the client may not have. Nil before the first taking: the list's oldest is the next.
  private(set) var had: Int64?
  /// The lengths of what was sent from there on, in bytes.
  private var sent: [Int] = []
  /// How many of these were sent before the ping under way.
  private var askedCount = 0
  /// Whether frames that the client has are still on Redis. The next taking drops them.
  private(set) var mustDrop = false

  /// The number of the frame to send next.
  var next: Int64? { had.map { $0 + Int64(sent.count) } }
  /// Whether the client is known to have all that it was sent.
  var isCertain: Bool { sent.isEmpty }

  /// Frames of these lengths were taken, and are sent; there may be none.
  ///
  /// - Parameter number: that of the first. Another than `next` where the list has begun anew, and what was in it before is gone.
  mutating func send(_ lengths: [Int], from number: Int64) {
    if number != next { (had, sent, askedCount) = (number, [], 0) }
    mustDrop = false
    sent += lengths
    while sent.count > Self.countMax || sent.reduce(0, +) > Self.lengthMax_bytes {
      sent.removeFirst()
      (had, askedCount) = (had.map { $0 + 1 }, max(0, askedCount - 1))
    }
  }

  /// A ping is sent.
  mutating func ask() { askedCount = sent.count }

  /// Its pong came.
  mutating func confirm() {
    guard askedCount > 0 else { return }
    had = had.map { $0 + Int64(askedCount) }
    sent.removeFirst(askedCount)
    (askedCount, mustDrop) = (0, true)
  }
}
