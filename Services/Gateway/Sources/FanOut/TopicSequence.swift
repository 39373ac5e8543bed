internal import Models

/// The order of one appliance's live events over broken subscriptions: pure.
///
/// Pub/sub gives each message at most once and nothing of what was said while the subscription was broken. So the id of the last event
/// delivered is kept, and after each reconnect the gap is read from the log before the live events go on, which are held meanwhile.
struct TopicSequence {
  enum Phase: Equatable {
    /// Nothing is heard.
    case unsubscribed
    /// Heard, but it is not known yet where the log stands: nobody listens yet.
    case starting
    case live
    /// Listeners are there, but nothing is heard.
    case broken
    /// Heard again; the gap is being read.
    case repairing
  }

  enum Verdict: Equatable {
    case deliver
    case wait
  }

  struct Repair: Equatable {
    /// What to deliver now, in order.
    var messages: [[UInt8]] = []
    /// Too much came meanwhile to be held, but the log has it: the gap must be read once more.
    var mustRepeat = false
  }

  /// What may be held during a repair, in bytes. Past it everything held is let go and read from the log instead.
  static let heldBytesMax = 256 * 1024

  private(set) var phase = Phase.unsubscribed
  /// How often the server has confirmed the channel. What was read from the log before the last time may have a gap behind it.
  private(set) var confirmations = 0
  /// The last event that the listeners have got, or that was in the log before the first of them came.
  private(set) var last = EventID.zero
  private var held: [(id: EventID?, message: [UInt8])] = []
  private var heldBytes = 0
  private var hasOverflowed = false

  /// The server confirmed the channel: the log must be read now.
  mutating func confirmed() {
    confirmations += 1
    switch phase {
    case .unsubscribed, .starting: phase = .starting
    case .live, .broken, .repairing:
      phase = .repairing
      forgetHeld()
    }
  }

  /// The connection is lost.
  mutating func disconnected() {
    switch phase {
    case .unsubscribed, .starting: phase = .unsubscribed
    case .live, .broken, .repairing: phase = .broken
    }
  }

  mutating func received(id: EventID?, _ message: UnsafeRawBufferPointer) -> Verdict {
    switch phase {
    case .live:
      if let id { last = id }
      return .deliver
    case .starting:
      last = max(last, id ?? .zero)
    case .repairing:
      hold(id, message)
    case .unsubscribed, .broken: break
    }
    return .wait
  }

  /// The log was read: first the newest of each type, then the discrete events behind `last`.
  ///
  /// In this order, because whatever is older than an event of `state` and discrete is then surely in `history`.
  mutating func read(state: [Event], history: [Event]) -> Repair {
    switch phase {
    case .starting:
      last = state.reduce(last) { max($0, $1.id ?? .zero) }
      phase = .live
      return Repair()
    case .repairing:
      return repair(state: state, history: history)
    case .unsubscribed, .live, .broken:
      // The answer to a question of before the connection broke again.
      return Repair()
    }
  }

  private mutating func repair(state: [Event], history: [Event]) -> Repair {
    var repair = Repair(mustRepeat: hasOverflowed)
    let missed = history + state.filter(\.isTelemetry)
    for event in missed.sorted(by: { ($0.id ?? .zero) < ($1.id ?? .zero) }) {
      guard let id = event.id, id > last else { continue }
      last = id
      repair.messages.append(event.encoded())
    }
    for (id, message) in held where id.map({ $0 > last }) ?? true {
      last = id ?? last
      repair.messages.append(message)
    }
    forgetHeld()
    if !repair.mustRepeat { phase = .live }
    return repair
  }

  private mutating func hold(_ id: EventID?, _ message: UnsafeRawBufferPointer) {
    guard !hasOverflowed else { return }
    heldBytes += message.count
    if heldBytes > Self.heldBytesMax {
      forgetHeld()
      hasOverflowed = true
    } else {
      held.append((id, Array(message)))
    }
  }

  private mutating func forgetHeld() {
    held = []
    heldBytes = 0
    hasOverflowed = false
  }
}
