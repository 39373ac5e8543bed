package import Models

/// What is remembered of one rule and one metric at one appliance.
package struct Series: Hashable, Sendable {
  package struct Sample: Hashable, Sendable {
    /// The device's time.
    var at: Timestamp
    var value: Double
  }

  /// For what is told when the rule is no more.
  package let ruleID: String
  /// Between a firing and its clearing.
  var isFiring = false
  /// Since when the condition holds, or for silence when it will, by the log's time; nil while it does not.
  var heldSince: Timestamp?
  /// The newest sample: the device's time of it, never ahead of the log's, and the log's own.
  var newest: Timestamp
  var received: Timestamp
  var value: Double
  var lastFired: Timestamp?
  /// Of the last event that matched, by which its repetition is known.
  var fingerprint: UInt64 = 0
  /// For rates, oldest first; at most `samplesMax`.
  var samples: [Sample] = []

  static let samplesMax = 10

  init(ruleID: String, newest: Timestamp, received: Timestamp, value: Double) {
    self.ruleID = ruleID
    self.newest = newest
    self.received = received
    self.value = value
  }

  /// When it fires if nothing else comes; nil for never.
  func due(_ rule: Rule) -> Timestamp? {
    guard !isFiring, let heldSince else { return nil }
    let ripe = heldSince + rule.holdFor
    let time = lastFired.map { max(ripe, $0 + rule.cooldown) } ?? ripe
    return rule.hours?.next(from: time) ?? time
  }

  /// Whether a sample of that device time is older than the newest. One that is newer than nothing for `latenessMax` is of a clock that went back, and is followed.
  func isLate(_ at: Timestamp, receivedAt now: Timestamp) -> Bool { at < newest && now - received <= Self.latenessMax }

  /// Longer than any redelivery takes while newer samples come.
  static let latenessMax = Duration.seconds(60)

  /// The change per `rate.per` up to this sample; nil for the first. Beyond a double it is infinite.
  mutating func change(to value: Double, at: Timestamp, _ rate: Rate) -> Double? {
    if let last = samples.last, last.at > at { samples = [] }
    // The oldest within the window, or else the newest before it; what is older is of no more use.
    if let baseline = samples.firstIndex(where: { at - $0.at <= rate.over }) ?? samples.indices.last { samples.removeFirst(baseline) }
    defer {
      if samples.count < Self.samplesMax, samples.last.map({ at - $0.at >= rate.over / 8 }) ?? true {
        samples.append(Sample(at: at, value: value))
      }
    }
    guard let baseline = samples.first, baseline.at < at else { return nil }
    return (value - baseline.value) / ((at - baseline.at) / rate.per)
  }
}

/// What happened in a rule's life at one appliance.
package enum RuleEffect: Hashable, Sendable {
  case fired(Firing)
  /// No series of the rule is firing at the appliance any more.
  case cleared(Clearing)
}

package struct Firing: Hashable, Sendable {
  package let ruleID: String
  package let applianceID: ApplianceID
  /// Empty where the rule is about no metric.
  package let metric: String
  /// The sample that it fired on, or the newest; nil where the rule is about no number.
  package let value: Double?
  /// By the log's time.
  package let at: Timestamp

  package init(ruleID: String, applianceID: ApplianceID, metric: String, value: Double?, at: Timestamp) {
    (self.ruleID, self.applianceID, self.metric, self.value, self.at) = (ruleID, applianceID, metric, value, at)
  }
}

package struct Clearing: Hashable, Sendable {
  package enum Reason: String, Hashable, Sendable {
    case recovered
    /// The rule was changed, disabled or removed, or is not for this appliance any more.
    case ruleChanged = "rule_changed"
  }

  package let ruleID: String
  package let applianceID: ApplianceID
  package let reason: Reason
  package let at: Timestamp
}
