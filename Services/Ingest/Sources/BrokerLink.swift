import MQTTClient
import Synchronization

/// Whether device messages can reach us, for readiness.
final class BrokerLink: Sendable {
  private enum State {
    case down(MQTTError?)
    case up
  }

  private let state = Mutex(State.down(nil))
  private let metrics: IngestMetrics

  init(metrics: IngestMetrics) {
    self.metrics = metrics
    metrics.connected(false)
  }

  func observe(_ event: MQTTConnectionEvent) {
    switch event {
    case .subscribed: state.withLock { $0 = .up }
    case .disconnected(let error): state.withLock { $0 = .down(error) }
    // After `subscribed` it was an optional one.
    case .subscriptionRefused(_, let error): state.withLock { if case .down = $0 { $0 = .down(error) } }
    case .connected: return
    }
    metrics.connected(isUp)
  }

  private var isUp: Bool { state.withLock { if case .up = $0 { true } else { false } } }

  /// - Throws: why not.
  func check() throws {
    guard case .down(let error) = state.withLock({ $0 }) else { return }
    throw error ?? MQTTError(.unreachable, "The MQTT broker has not been reached yet.")
  }
}
