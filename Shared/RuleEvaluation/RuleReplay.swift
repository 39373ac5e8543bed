package import Models

/// One rule over the stored events of one appliance, as it would have been had it stood there: the evaluator is the one that runs live, and stored events in the order of
/// their ids are the log.
package struct RuleReplay: Sendable {
  private let applianceID: ApplianceID
  private var rules: RuleSet
  private var state = ApplianceState()
  private var clock = Timestamp(microseconds: 0)
  /// In the order in which they happened.
  package private(set) var effects: [RuleEffect] = []

  /// - Parameter rule: evaluated whether or not it is enabled.
  package init(_ rule: Rule, of applianceID: ApplianceID) {
    self.applianceID = applianceID
    rules = RuleSet([rule])
  }

  /// Takes the next event in; one without an id was never in the log and is left out.
  package mutating func take(_ event: Event) {
    guard let id = event.id else { return }
    clock = max(clock, id.receivedAt)
    effects += state.take(event, at: clock, &rules).effects
  }

  /// Lets what is due up to and with `time` happen.
  package mutating func finish(at time: Timestamp) { effects += state.advance(to: max(clock, time), rules, of: applianceID) }
}

extension Rule {
  /// How far back the rule looks at most, but for what is firing.
  package var memory: Duration {
    switch condition {
    case .threshold, .event: holdFor + cooldown
    case .rate(_, let rate): holdFor + cooldown + rate.over
    case .silence(_, let duration): duration + cooldown
    }
  }
}
