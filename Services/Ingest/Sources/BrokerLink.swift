import MQTTClient
import Synchronization

/// Whether a connection with the broker does its work, for readiness.
final class BrokerLink: Sendable {
  /// From when on it does.
  enum Work: Sendable {
    /// From the grant of every subscription.
    case subscribing
    /// From the connection.
    case publishing
  }

  private enum State {
    case down(MQTTError?)
    case up
  }

  private let state = Mutex(State.down(nil))
  private let work: Work
  private let tell: @Sendable (Bool) -> Void

  init(_ work: Work, tell: @escaping @Sendable (_ isUp: Bool) -> Void = { _ in }) {
    self.work = work
    self.tell = tell
    tell(false)
  }

  func observe(_ event: MQTTConnectionEvent) {
    switch event {
    case .subscribed: state.withLock { $0 = .up }
    case .disconnected(let error): state.withLock { $0 = .down(error) }
    // After `subscribed` it was an optional one.
    case .subscriptionRefused(_, let error): state.withLock { if case .down = $0 { $0 = .down(error) } }
    case .connected where work == .publishing: state.withLock { $0 = .up }
    case .connected: return
    }
    tell(isUp)
  }

  var isUp: Bool { state.withLock { if case .up = $0 { true } else { false } } }

  /// - Throws: why not.
  func check() throws {
    guard case .down(let error) = state.withLock({ $0 }) else { return }
    throw error ?? MQTTError(.unreachable, "The MQTT broker has not been reached yet.")
  }
}
