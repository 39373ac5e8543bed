import Models
import RuleEvaluation

/// One core, no servers: how fast rules are evaluated.
struct RulesBench {
  let eventCount: Int

  func run() throws {
    // 20 rules look at each of 10 metrics of an event; values cross the thresholds now and then.
    try measure("20 rules on each reading", rules: 200) { "m\($0 % 10)" }
    // 1,000 rules, each for a metric of its own, as in a plant where every sensor has its limits.
    try measure("1,000 rules, one on each reading", rules: 1000) { "m\($0)" }
  }

  private func measure(_ what: String, rules count: Int, metric: (Int) -> String) throws {
    let (metricsEach, appliances) = (10, 50)
    let rules = try (0..<count).map {
      try Rule(
        parsing: Array(
          #"{"id":"r\#($0)","when":{"metric":"\#(metric($0))","operator":">","value":90,"clear":85},"for_seconds":\#($0 % 3)}"#.utf8))
    }
    var states = Array(repeating: ApplianceState(), count: appliances)
    let ids = try (0..<appliances).map { try ApplianceID("A-\($0)") }
    var plan = RuleSet(rules)
    let type = try EventType("telemetry")
    let texts = (0..<100).map { number in
      let members = (0..<metricsEach).map { #""m\#($0)":\#((number * 7 + $0 * 13) % 100)"# }
      return Array("{\(members.joined(separator: ","))}".utf8)
    }
    var evaluations = 0
    let start = ContinuousClock.now
    for number in 0..<eventCount {
      let place = number % appliances
      let now = Timestamp(microseconds: 1_771_070_400_000_000 + Int64(number) * 1000)
      let event = Event(type: type, applianceID: ids[place], timestamp: now, data: texts[number % texts.count])
      let evaluation = states[place].take(event, at: now, &plan)
      evaluations += evaluation.count
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let readings = eventCount * metricsEach
    Report.row(what, "\(Int(Double(evaluations) / seconds)) evaluations/s, \(Int(Double(readings) / seconds)) readings/s on one core")
  }
}
