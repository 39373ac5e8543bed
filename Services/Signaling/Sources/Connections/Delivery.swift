/// How far one connection is in one list of frames on Redis: what it was sent, and what of that its client is known to have. Pure.
///
/// Frames have the numbers that `Switchboard` gives them. They stay on Redis until a pong has shown that the client has them, so that whoever takes its
/// place is told the rest. What goes past the bounds waits there for the pong; where none is waited for, the oldest count as had.
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
  /// Whether frames wait for a pong before they are sent.
  private(set) var isHeldBack = false

  /// The number of the frame to send next.
  var next: Int64? { had.map { $0 + Int64(sent.count) } }
  /// Whether the client is known to have all that it was sent.
  var isCertain: Bool { sent.isEmpty }

  /// Frames of these lengths were taken; there may be none.
  ///
  /// - Parameters:
  ///   - number: that of the first. Another than `next` where the list has begun anew, and what was in it before is gone.
  ///   - isPatient: whether what goes past the bounds waits for a pong.
  /// - Returns: how many of them are sent.
  @discardableResult
  mutating func send(_ lengths: [Int], from number: Int64, isPatient: Bool) -> Int {
    if number != next { (had, sent, askedCount, isHeldBack) = (number, [], 0, false) }
    mustDrop = false
    let count = isPatient ? fitting(lengths) : lengths.count
    if !lengths.isEmpty { isHeldBack = count < lengths.count }
    sent += lengths.prefix(count)
    while sent.count > Self.countMax || sent.reduce(0, +) > Self.lengthMax_bytes {
      sent.removeFirst()
      (had, askedCount) = (had.map { $0 + 1 }, max(0, askedCount - 1))
    }
    return count
  }

  /// How many of the frames stay within the bounds; at least one where the client has all others.
  private func fitting(_ lengths: [Int]) -> Int {
    var (count, length) = (sent.count, sent.reduce(0, +))
    for next in lengths {
      guard count == 0 || count < Self.countMax && length + next <= Self.lengthMax_bytes else { break }
      (count, length) = (count + 1, length + next)
    }
    return count - sent.count
  }

  /// A ping is sent.
  mutating func ask() { askedCount = sent.count }

  /// Its pong came.
  mutating func confirm() {
    guard askedCount > 0 else { return }
    had = had.map { $0 + Int64(askedCount) }
    sent.removeFirst(askedCount)
    (askedCount, mustDrop, isHeldBack) = (0, true, false)
  }
}
