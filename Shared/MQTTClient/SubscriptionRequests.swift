import Backoff

/// Which subscriptions the broker has granted on this connection, and when to ask again for those that it has not. Pure.
struct SubscriptionRequests {
  private enum State {
    case due(ContinuousClock.Instant)
    case asked(requestID: Int32, until: ContinuousClock.Instant)
    case settled
  }

  private var states: [(subscription: MQTTSubscription, state: State)]
  private var backoff = Backoff(shortest: .seconds(1), longest: .seconds(30))

  init(_ subscriptions: [MQTTSubscription], now: ContinuousClock.Instant) { states = subscriptions.map { ($0, .due(now)) } }

  func due(at now: ContinuousClock.Instant) -> [MQTTSubscription] {
    states.compactMap { entry in
      if case .due(let time) = entry.state, time <= now { entry.subscription } else { nil }
    }
  }

  mutating func asked(for subscription: MQTTSubscription, requestID: Int32, answerBy deadline: ContinuousClock.Instant) {
    guard let index = states.firstIndex(where: { $0.subscription == subscription }) else { return }
    states[index].state = .asked(requestID: requestID, until: deadline)
  }

  enum Answer: Equatable {
    case allGranted
    case granted
    case refused(filter: String)
  }

  mutating func answered(
    requestID: Int32, reasonCode: UInt8, at now: ContinuousClock.Instant, random: Double
  ) -> Answer? {
    let index = states.firstIndex { if case .asked(requestID, _) = $0.state { true } else { false } }
    guard let index else { return nil }
    let subscription = states[index].subscription
    guard reasonCode < 0x80 else {
      states[index].state = subscription.isOptional ? .settled : .due(now + backoff.next(random: random))
      return .refused(filter: subscription.filter)
    }
    states[index].state = .settled
    guard !subscription.isOptional else { return .granted }
    let isMissing = states.contains { if case .settled = $0.state { false } else { !$0.subscription.isOptional } }
    return isMissing ? .granted : .allGranted
  }

  /// A filter whose answer is overdue.
  func overdue(at now: ContinuousClock.Instant) -> String? {
    states.first { if case .asked(_, let until) = $0.state { until <= now } else { false } }?.subscription.filter
  }

  var nextDeadline: ContinuousClock.Instant? {
    states.compactMap { entry in
      switch entry.state {
      case .due(let time): time
      case .asked(_, let until): until
      case .settled: nil
      }
    }.min()
  }
}
