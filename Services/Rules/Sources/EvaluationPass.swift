import EventLog
import Models
import RuleEvaluation
import Store

/// What follows from the log, in the order in which it happened.
enum Effect: Hashable, Sendable {
  case rule(RuleEffect)
  case device(DeviceAlarm, at: Timestamp)
}

/// What a run of records makes of a shard's state, before it is stored. Pure but for the memo in `plans`.
struct EvaluationPass {
  private let stored: [ApplianceID: ApplianceState]
  private let plans: RulePlans
  /// Of all appliances of the shard together.
  private let seriesMax: Int
  private(set) var seriesCount: Int
  /// How far time has come here, by the log. It does not go back.
  private(set) var clock: Timestamp
  /// What is other than in `stored`.
  private(set) var touched: [ApplianceID: ApplianceState] = [:]
  private(set) var effects: [Effect] = []
  /// What webhooks are told of the records; of rules that fire they are told when the effects are stored.
  private(set) var tidings: Tidings
  private(set) var evaluationCount = 0
  private(set) var lateCount = 0
  private(set) var refusedCount = 0
  private var changed: Set<ApplianceID> = []

  init(
    _ stored: [ApplianceID: ApplianceState], _ plans: RulePlans, seriesCount: Int = 0, seriesMax: Int = .max,
    clock: Timestamp = Timestamp(microseconds: 0), tidings: Tidings = Tidings()
  ) {
    self.tidings = tidings
    (self.stored, self.plans, self.seriesCount, self.seriesMax, self.clock) = (stored, plans, seriesCount, seriesMax, clock)
  }

  /// Whether there is nothing to store.
  var isEmpty: Bool { changed.isEmpty && effects.isEmpty }

  var firings: [Firing] {
    effects.compactMap { effect in
      guard case .rule(let effect) = effect, case .fired(let firing) = effect else { return nil }
      return firing
    }
  }

  /// The bytes to be stored; nil for what is forgotten.
  var changes: [(applianceID: ApplianceID, state: [UInt8]?)] {
    changed.sorted().map { id in (id, touched[id].flatMap { $0.isEmpty ? nil : $0.encoded() }) }
  }

  mutating func take(_ record: LogRecord) {
    // A log's clock that is nowhere near is no time to reckon with.
    guard case .event(let event) = record.content, PartitionDay(of: record.id.receivedAt).isPossible else { return }
    clock = max(clock, record.id.receivedAt)
    tidings.take(event, record, at: clock)
    if let alarm = DeviceAlarm(event) { effects.append(.device(alarm, at: clock)) }
    let (now, room) = (clock, seriesMax - seriesCount)
    let evaluation = change(event.applianceID) { state, rules in
      let evaluation = state.take(event, at: now, &rules, room: room)
      return (evaluation, evaluation.isStateChanged)
    }
    effects += evaluation.effects.map(Effect.rule)
    evaluationCount += evaluation.count
    lateCount += evaluation.lateCount
    refusedCount += evaluation.refusedCount
  }

  /// Lets what is due happen at every appliance.
  mutating func advance(to time: Timestamp) {
    clock = max(clock, time)
    let due = stored.keys.filter { isDue(touched[$0] ?? stored[$0]) } + touched.keys.filter { stored[$0] == nil && isDue(touched[$0]) }
    let now = clock
    for id in due.sorted() {
      effects += change(id) { state, rules in
        let effects = state.advance(to: now, rules, of: id)
        return (effects.map(Effect.rule), !effects.isEmpty)
      }
    }
  }

  /// Forgets what belongs to no present rule: the rules are others than before.
  mutating func forgetOthers() {
    let now = clock
    for id in stored.keys.sorted() {
      effects += change(id) { state, rules in
        let before = state.series.count
        let effects = state.forgetOthers(rules, of: id, at: now)
        return (effects.map(Effect.rule), state.series.count < before)
      }
    }
  }

  private func isDue(_ state: ApplianceState?) -> Bool { state?.dueNoSoonerThan.map { $0 <= clock } ?? false }

  /// - Parameter body: answers with a result, and whether the state is to be stored.
  private mutating func change<R>(
    _ id: ApplianceID, _ body: (inout ApplianceState, inout RuleSet) -> (R, Bool)
  ) -> R {
    // Taken out, so that it is changed in place.
    var state = touched.removeValue(forKey: id) ?? stored[id] ?? ApplianceState()
    let before = state.series.count
    let (result, isToBeStored) = plans.with(rulesOf: id) { rules in body(&state, &rules) }
    seriesCount += state.series.count - before
    if isToBeStored || !state.isEmpty || stored[id] != nil { touched[id] = state }
    if isToBeStored { changed.insert(id) }
    return result
  }
}
