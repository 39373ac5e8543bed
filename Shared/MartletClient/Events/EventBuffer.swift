internal import Models
internal import NIOCore

/// Events that wait for their consumer, in order. A pure value.
///
/// At most ``countMax`` wait. Past that the oldest telemetry gives way; where nothing but discrete events waits, none is dropped: the
/// sequence ends behind them, with the error that says where to go on.
struct EventBuffer {
  static let countMax = 1024

  enum Next {
    case event(MartletEvent)
    case nothingYet
    case end
    case fellBehind(FellBehind)
  }

  private enum Ending { case none, finished, fellBehind }

  private var waiting = CircularBuffer<MartletEvent>()
  private var ending = Ending.none
  /// By appliance, the greatest id that was handed out.
  private var handedOut: [String: EventID] = [:]

  /// Whether anything more can come.
  var isOpen: Bool { ending == .none }

  mutating func append(_ event: MartletEvent) {
    guard isOpen else { return }
    if waiting.count >= Self.countMax {
      guard let oldest = waiting.firstIndex(where: \.isTelemetry) else { return ending = .fellBehind }
      waiting.remove(at: oldest)
    }
    waiting.append(event)
  }

  mutating func finish() {
    if isOpen { ending = .finished }
  }

  mutating func next() -> Next {
    if let event = waiting.popFirst() {
      if let id = event.logID { handedOut[event.applianceID] = max(handedOut[event.applianceID] ?? id, id) }
      return .event(event)
    }
    switch ending {
    case .none: return .nothingYet
    case .finished: return .end
    case .fellBehind: return .fellBehind(FellBehind(seen: handedOut.mapValues(\.description)))
    }
  }
}

/// The app read so slowly that a discrete event found no room any more. What waited was handed out; go on behind it with
/// `events(of:since:)` and ``seen``, and nothing is missing.
public struct FellBehind: Error, Hashable, Sendable, CustomStringConvertible {
  /// By appliance, the id of the newest event that was handed out.
  public let seen: [String: String]

  public var description: String {
    "The app did not take its events in time, and \(EventBuffer.countMax) waited: subscribe again behind those that it has seen."
  }
}
