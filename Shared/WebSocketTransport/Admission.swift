internal import Synchronization

/// Counts the server's connections on all loops, to hold them to their limits.
final class Admission: Sendable {
  enum Decision: Equatable {
    case admitted
    /// To be answered with 503.
    case refused
    /// Beyond even the room for refusals: to be closed without an answer.
    case dropped
  }

  /// How many connections beyond the limit are kept for as long as a 503 takes.
  static let refusalsMax = 256

  private let connectionsMax: Int
  private let handshakesMax: Int
  private let connections = Atomic<Int>(0)
  private let handshakes = Atomic<Int>(0)

  init(connectionsMax: Int, handshakesMax: Int) {
    self.connectionsMax = connectionsMax
    self.handshakesMax = handshakesMax
  }

  /// Counts a new connection, which begins with its handshake. One that is dropped is not counted.
  func enter() -> Decision {
    let count = connections.add(1, ordering: .relaxed).newValue
    guard count <= connectionsMax + Self.refusalsMax else {
      connections.subtract(1, ordering: .relaxed)
      return .dropped
    }
    let handshaking = handshakes.add(1, ordering: .relaxed).newValue
    return count <= connectionsMax && handshaking <= handshakesMax ? .admitted : .refused
  }

  func leaveHandshake() { handshakes.subtract(1, ordering: .relaxed) }
  func leave() { connections.subtract(1, ordering: .relaxed) }
}
