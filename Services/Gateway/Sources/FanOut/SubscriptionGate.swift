internal import Models

/// What becomes of an appliance's live events on their way to one client. Pure.
///
/// While the client is being told what was before, live events are held. Then those pass that are new to it: what was read from the log may
/// still be on its way here. Once one came that is not older than all that the client was told, everything passes.
struct SubscriptionGate {
  private enum Phase {
    case holding(DeliveryLane)
    /// What comes is let go, because the log is going to be read once more.
    case lettingGo
    case filtering(KnownEvents)
    case open
  }

  private var phase: Phase

  /// Begins to hold, at most `bytesMax`.
  init(bytesMax: Int) { phase = .holding(DeliveryLane(bytesMax: bytesMax)) }

  /// Whether every frame passes, so that none needs to be looked at.
  var isOpen: Bool { if case .open = phase { true } else { false } }

  /// Whether the frame is to be sent now.
  mutating func passes(_ frame: DeliveryLane.Frame) -> Bool {
    switch phase {
    case .open: return true
    case .lettingGo: return false
    case .holding(var lane):
      // Out of `phase` while it grows, so that its array is not copied. Past its bound it stays out.
      phase = .lettingGo
      if lane.append(frame) { phase = .holding(lane) }
      return false
    case .filtering(let known):
      if let id = frame.id, id >= known.end { phase = .open }
      return known.isNew(frame.type, frame.id)
    }
  }

  /// What is held, which is forgotten.
  mutating func takeHeld() -> [DeliveryLane.Frame] {
    guard case .holding(var lane) = phase else { return [] }
    phase = .lettingGo
    return lane.takeAll()
  }

  /// Forgets what is held: another gate and another reading of the log are to follow.
  mutating func letGo() { phase = .lettingGo }

  /// Ends the hold and answers what came meanwhile and is new to the client, and how much telemetry gave way to newer. Nil when not everything could be held: another gate and
  /// another reading of the log are to follow.
  /// - Parameter position: the last event that came here or was in the log before.
  mutating func release(_ known: KnownEvents, position: EventID) -> (frames: [DeliveryLane.Frame], conflatedCount: Int)? {
    switch phase {
    case .lettingGo: return nil
    case .holding(var lane):
      phase = position >= known.end ? .open : .filtering(known)
      return (lane.takeAll().filter { known.isNew($0.type, $0.id) }, lane.conflatedCount)
    case .filtering, .open: return ([], 0)
    }
  }
}
