package import Models

/// Everything that rules remember of one appliance, and the one evaluator: (state, input, time) → (state, effects).
///
/// `now` is the log's time: when the log took the event in. It never goes back here. Durations, cooldowns and hours go by it, so that a wrong clock at a
/// device neither hides nor makes an alarm; the device's own time only tells which sample is newer, and rates.
///
/// - A late sample (older than the newest of its series by the device's time) is not evaluated; a repeated one changes nothing.
/// - A sample is a finite double: JSON has no other numbers, and what exceeds a double is no reading.
/// - What falls due between two events takes effect at its own moment, before the later event, whenever that is worked out.
package struct ApplianceState: Hashable, Sendable {
  package struct Key: Hashable, Sendable {
    /// `Rule.key`.
    package let rule: UInt64
    /// Empty where the rule is about no metric.
    package let metric: String
  }

  /// Series of one appliance; what is beyond is not watched, and counted.
  package static let seriesMax = 1024

  package internal(set) var series: [Key: Series] = [:]
  /// Nothing is due before; nil when nothing ever is. It may be too early.
  package internal(set) var dueNoSoonerThan: Timestamp?

  package init() {}

  package var isEmpty: Bool { series.isEmpty }
}

/// What became of one input.
package struct Evaluation: Sendable {
  /// How many series the appliance may have at present.
  fileprivate let seriesMax: Int
  /// In the order in which they happened.
  package internal(set) var effects: [RuleEffect] = []
  /// Pairs of a rule and a sample, or an event, that were looked at.
  package internal(set) var count = 0
  package internal(set) var lateCount = 0
  /// Whether anything is remembered otherwise now.
  package internal(set) var isStateChanged = false
  /// Those that found no room for their state.
  package internal(set) var refusedCount = 0
}

extension ApplianceState {
  /// Takes an event in.
  ///
  /// What follows from rules (`alarm:…`, `rule:…`) is nobody's condition, or rules would feed themselves.
  ///
  /// - Parameter room: for how many new series there is memory, besides the appliance's own bound.
  package mutating func take(_ event: Event, at now: Timestamp, _ rules: inout RuleSet, room: Int = seriesMax) -> Evaluation {
    var evaluation = Evaluation(seriesMax: min(Self.seriesMax, series.count + min(Self.seriesMax, max(0, room))))
    let id = event.applianceID
    evaluation.effects = advance(to: now, rules, of: id)
    evaluation.isStateChanged = !evaluation.effects.isEmpty
    guard !rules.rules.isEmpty, !event.isOfRules else { return evaluation }
    let at = min(event.timestamp, now)
    if !event.isOfCommands {
      for index in rules.silenceRules { hear("", 0, of: rules.rules[index], at: at, now: now, id, &evaluation) }
    }
    for index in rules.eventRules { match(event, rules.rules[index], now: now, &evaluation) }
    guard rules.watchesMetrics else { return evaluation }
    // Of a metric that stands in one event more than once, the last counts.
    let readings = event.readings()
    let last = Self.hasRepetition(readings) ? Dictionary(readings.enumerated().map { ($1.metric, $0) }) { $1 } : [:]
    for (place, reading) in readings.enumerated() where last[reading.metric] ?? place == place {
      for index in rules.watching(reading.metric) {
        hear(reading.metric, reading.value, of: rules.rules[index], at: at, now: now, id, &evaluation)
      }
    }
    return evaluation
  }

  /// Lets what is due up to and with `now` happen, each at its moment.
  package mutating func advance(to now: Timestamp, _ rules: RuleSet, of id: ApplianceID) -> [RuleEffect] {
    guard let bound = dueNoSoonerThan, bound <= now else { return [] }
    var ripe: [(due: Timestamp, key: Key, rule: Rule)] = []
    dueNoSoonerThan = nil
    for (key, series) in series {
      guard let rule = rules.rule(key.rule), let due = series.due(rule) else { continue }
      if due <= now { ripe.append((due, key, rule)) } else { wake(at: due) }
    }
    ripe.sort { ($0.due, $0.key.metric, $0.rule.id) < ($1.due, $1.key.metric, $1.rule.id) }
    return ripe.map { fire($0.key, $0.rule, at: $0.due, id) }
  }

  /// Forgets what belongs to no present rule.
  package mutating func forgetOthers(_ rules: RuleSet, of id: ApplianceID, at now: Timestamp) -> [RuleEffect] {
    let gone = series.filter { rules.rule($0.key.rule) == nil }
    guard !gone.isEmpty else { return [] }
    for key in gone.keys { series[key] = nil }
    return Set(gone.values.filter(\.isFiring).map(\.ruleID)).sorted().map {
      .cleared(Clearing(ruleID: $0, applianceID: id, reason: .ruleChanged, at: now))
    }
  }

  // MARK: One series

  private mutating func hear(
    _ metric: String, _ value: Double, of rule: Rule, at: Timestamp, now: Timestamp, _ id: ApplianceID, _ evaluation: inout Evaluation
  ) {
    let key = Key(rule: rule.key, metric: metric)
    evaluation.count += 1
    var series: Series
    if let known = self.series[key] {
      series = known
      guard !series.isLate(at, receivedAt: now) else {
        evaluation.lateCount += 1
        return
      }
    } else {
      guard self.series.count < evaluation.seriesMax else {
        evaluation.refusedCount += 1
        return
      }
      series = Series(ruleID: rule.id, newest: at, received: now, value: value)
    }
    (series.newest, series.received, series.value) = (at, now, value)
    let (holds, heldSince) = series.judge(value, at: at, now: now, rule.condition)
    let wasFiring = series.isFiring
    series.heldSince = holds ? series.heldSince ?? heldSince : nil
    series.isFiring = wasFiring && holds
    if case .silence = rule.condition { (series.isFiring, series.heldSince) = (false, heldSince) }
    self.series[key] = series
    evaluation.isStateChanged = true
    if wasFiring, !series.isFiring { clear(rule, at: now, id, &evaluation) }
    guard let due = series.due(rule) else { return }
    if due <= now { evaluation.effects.append(fire(key, rule, at: now, id)) } else { wake(at: due) }
  }

  private mutating func match(_ event: Event, _ rule: Rule, now: Timestamp, _ evaluation: inout Evaluation) {
    guard case .event(let match, let until) = rule.condition else { return }
    evaluation.count += 1
    let key = Key(rule: rule.key, metric: "")
    if match.matches(event) {
      var series = self.series[key] ?? Series(ruleID: rule.id, newest: event.timestamp, received: now, value: 0)
      guard self.series[key] != nil || self.series.count < evaluation.seriesMax else {
        evaluation.refusedCount += 1
        return
      }
      let fingerprint = event.fingerprint
      guard series.fingerprint != fingerprint else { return }
      (series.newest, series.received, series.fingerprint) = (event.timestamp, now, fingerprint)
      self.series[key] = series
      evaluation.isStateChanged = true
      let isResting = series.lastFired.map { now < $0 + rule.cooldown } ?? false
      guard !isResting, rule.hours?.next(from: now) ?? now == now else { return }
      evaluation.effects.append(fire(key, rule, at: now, event.applianceID))
    } else if until?.matches(event) ?? false, self.series[key]?.isFiring ?? false {
      self.series[key]?.isFiring = false
      evaluation.isStateChanged = true
      clear(rule, at: now, event.applianceID, &evaluation)
    }
  }

  private mutating func fire(_ key: Key, _ rule: Rule, at now: Timestamp, _ applianceID: ApplianceID) -> RuleEffect {
    series[key]?.isFiring = true
    series[key]?.lastFired = now
    let value: Double? =
      switch rule.condition {
      case .threshold, .rate: series[key]?.value
      case .silence, .event: nil
      }
    return .fired(Firing(ruleID: rule.id, applianceID: applianceID, metric: key.metric, value: value, at: now))
  }

  private func clear(_ rule: Rule, at now: Timestamp, _ applianceID: ApplianceID, _ evaluation: inout Evaluation) {
    guard !series.contains(where: { $0.key.rule == rule.key && $0.value.isFiring }) else { return }
    evaluation.effects.append(.cleared(Clearing(ruleID: rule.id, applianceID: applianceID, reason: .recovered, at: now)))
  }

  private mutating func wake(at due: Timestamp) { dueNoSoonerThan = min(dueNoSoonerThan ?? due, due) }

  private static func hasRepetition(_ readings: [Reading]) -> Bool {
    readings.count > 1 && Set(readings.lazy.map(\.metric)).count < readings.count
  }
}

extension Series {
  /// Whether the condition holds with this sample, and since when if it did not before.
  fileprivate mutating func judge(
    _ value: Double, at: Timestamp, now: Timestamp, _ condition: Condition
  ) -> (holds: Bool, since: Timestamp) {
    switch condition {
    case .threshold(_, let threshold): ((isFiring ? threshold.holds : threshold.raises).contains(value), now)
    case .rate(_, let rate):
      (change(to: value, at: at, rate).map { (isFiring ? rate.threshold.holds : rate.threshold.raises).contains($0) } ?? isFiring, now)
    case .silence(_, let duration): (true, now + duration)
    case .event: (false, now)
    }
  }
}

extension Event {
  fileprivate var isOfRules: Bool { type.rawValue.hasPrefix("alarm:") || type.rawValue.hasPrefix("rule:") }

  /// Said about the appliance by Martlet, not by the appliance.
  fileprivate var isOfCommands: Bool { type.rawValue.hasPrefix("command:") }

  /// FNV-1a (64 bits) of type, time and data; never 0.
  fileprivate var fingerprint: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ bytes: some Sequence<UInt8>) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 } }
    add(type.rawValue.utf8)
    withUnsafeBytes(of: timestamp.microseconds.littleEndian) { add($0) }
    add(data)
    return max(hash, 1)
  }
}
