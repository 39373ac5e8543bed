package import Models
package import RuleEvaluation

/// How much of a replay is done; past one of these it ends with what it has. Looked at after each page of events.
package struct ReplayLimits: Sendable {
  package let eventsMax: Int
  /// Firings and clearings, about 100 bytes each.
  package let effectsMax: Int
  /// Nil for as long as it takes.
  package let time: Duration?

  package init(eventsMax: Int = .max, effectsMax: Int, time: Duration? = nil) {
    (self.eventsMax, self.effectsMax, self.time) = (eventsMax, effectsMax, time)
  }
}

/// What a rule would have done at one appliance.
package struct RuleHistory: Sendable {
  /// In the order in which they happened, with those before the window.
  package let effects: [RuleEffect]
  /// Up to here, which is not in it: the window's end, or where a limit was reached.
  package let until: Timestamp
}

extension HistoryStore {
  /// Runs a rule over the stored events of one appliance, a page of them in memory at a time (deploy/decisions/0024). Whether the rule concerns the appliance is not asked.
  ///
  /// Evaluation begins an hour before the window, or as long before as the rule looks back if that is more, so that it is known how things stood.
  ///
  /// - Throws: `PostgresError`.
  package func replay(
    _ rule: Rule, of appliance: ApplianceID, in window: HistoryWindow, limits: ReplayLimits
  ) async throws -> RuleHistory {
    var replay = RuleReplay(rule, of: appliance)
    let from = window.from + (.zero - max(rule.memory, .seconds(3600)))
    let deadline = limits.time.map { ContinuousClock.now + $0 }
    var (after, count, until): (EventID?, Int, Timestamp) = (nil, 0, window.to)
    repeat {
      let page = try await events(
        of: appliance, in: HistoryWindow(from: from, to: window.to), after: after, limit: EventPage.limitMax)
      for stored in page.items { replay.take(stored.event) }
      count += page.items.count
      after = page.next
      let isLate = deadline.map { ContinuousClock.now > $0 } ?? false
      let isEnough = count >= limits.eventsMax || replay.effects.count > limits.effectsMax || isLate
      if let reached = after, isEnough {
        until = reached.receivedAt
        break
      }
    } while after != nil
    replay.finish(at: until + .microseconds(-1))
    return RuleHistory(effects: replay.effects, until: until)
  }
}
