package import Models

/// What to watch for, at which appliances, and what to do about it. Read from its JSON by `Rule.init(parsing:)`, which knows the grammar.
package struct Rule: Hashable, Sendable {
  package let id: String
  package let name: String
  package let isEnabled: Bool
  package let severity: Severity
  package let scope: RuleScope
  package let condition: Condition
  /// How long the condition must hold before the rule fires, by the log's time.
  package let holdFor: Duration
  /// How long after a firing the same series cannot fire again; a condition that still holds then fires.
  package let cooldown: Duration
  /// Outside of them nothing fires; a condition that still holds when they begin fires then.
  package let hours: EnabledHours?
  package let actions: RuleActions
  /// The rule's own JSON text, as it is stored.
  package let definition: [UInt8]
  /// Names the rule and its condition: with another condition, what was remembered of the old one is forgotten.
  package let key: UInt64
}

package enum Severity: String, Hashable, Sendable, CaseIterable { case info, warning, critical }

/// At which appliances a rule watches. What is empty excludes nobody.
package struct RuleScope: Hashable, Sendable {
  package let appliances: [Pattern]
  package let dialects: Set<Dialect>

  /// - Parameter dialect: nil for an appliance that is not registered, which no rule of a dialect concerns.
  package func contains(_ appliance: ApplianceID, dialect: Dialect?) -> Bool {
    guard dialects.isEmpty || dialect.map(dialects.contains) ?? false else { return false }
    return appliances.isEmpty || appliances.contains { $0.matches(appliance.rawValue) }
  }
}

extension RuleScope {
  /// The appliances that are named without a `*`, each with its path in the rule: these must exist.
  package var named: [(path: String, name: String)] {
    appliances.enumerated().filter(\.element.isLiteral).map { ("appliances[\($0)]", $1.description) }
  }
}

package struct RuleActions: Hashable, Sendable {
  package struct Order: Hashable, Sendable {
    package let type: EventType
    /// A JSON object, as its text.
    package let data: [UInt8]
  }

  /// Raises the appliance's alarm of this rule.
  package let alarm: Bool
  /// Sends `rule.triggered` to the webhooks that want it.
  package let webhook: Bool
  /// Sends `rule:triggered` to the apps of the appliance.
  package let event: Bool
  /// Commands the appliance.
  package let command: Order?
}

/// A part of each day, by a fixed distance to UTC; it may go over midnight.
package struct EnabledHours: Hashable, Sendable {
  /// Minutes of the day, 0 to 1439; `until` is outside. They differ.
  package let from: Int
  package let until: Int
  package let utcOffset_minutes: Int

  /// The first moment that is within, from `time` on.
  package func next(from time: Timestamp) -> Timestamp {
    let day: Int64 = 86_400_000_000
    let local = time.microseconds + Int64(utcOffset_minutes) * 60_000_000
    let sinceStart = (local - Int64(from) * 60_000_000).modulo(day)
    let length = Int64(until - from).modulo(1440) * 60_000_000
    return sinceStart < length ? time : Timestamp(microseconds: time.microseconds + day - sinceStart)
  }
}

extension Int64 {
  fileprivate func modulo(_ divisor: Int64) -> Int64 {
    let rest = self % divisor
    return rest < 0 ? rest + divisor : rest
  }
}
