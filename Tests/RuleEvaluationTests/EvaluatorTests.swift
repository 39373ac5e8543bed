import Models
import Testing

@testable import RuleEvaluation

@Suite struct EvaluatorTests {
  @Test func `A crossing fires once, and again only after it was cleared`() throws {
    var bench = try Bench(rule(#""when":{"metric":"t","operator":">","value":200}"#))
    for (second, value) in [(0, "199"), (1, "201"), (2, "250"), (3, "200"), (4, "201")] { try bench.hear(value, at: Double(second)) }
    #expect(bench.story == ["r fired 1", "r cleared 3", "r fired 4"])
  }

  @Test(arguments: [
    (">", 5.0, [4, 5, 6], [6]), (">=", 5, [4, 5, 6], [5, 6]), ("<", 5, [4, 5, 6], [4]), ("<=", 5, [4, 5, 6], [4, 5]),
    ("==", 5, [4, 5, 6], [5]),
    ("!=", 5, [4, 5, 6], [4, 6]),
  ])
  func `Operators mean what they say`(word: String, bound: Double, values: [Int], raising: [Int]) throws {
    for value in values {
      var bench = try Bench(rule(#""when":{"metric":"t","operator":"\#(word)","value":\#(bound)}"#))
      try bench.hear("\(value)", at: 0)
      #expect(bench.story.isEmpty != raising.contains(value), "\(value) \(word) \(bound)")
    }
  }

  @Test func `Ranges count their bounds in between and not outside`() throws {
    for (word, raising) in [("between", [1, 2, 3]), ("outside", [0, 4])] {
      for value in 0...4 {
        var bench = try Bench(rule(#""when":{"metric":"t","operator":"\#(word)","low":1,"high":3}"#))
        try bench.hear("\(value)", at: 0)
        #expect(bench.story.isEmpty != raising.contains(value), "\(value) \(word)")
      }
    }
  }

  @Test func `Between the clear level and the threshold nothing changes`() throws {
    var bench = try Bench(rule(#""when":{"metric":"t","operator":">","value":200,"clear":190}"#))
    for (second, value) in [(0, "195"), (1, "201"), (2, "191"), (3, "201"), (4, "190"), (5, "195")] {
      try bench.hear(value, at: Double(second))
    }
    #expect(bench.story == ["r fired 1", "r cleared 4"])
  }

  @Test func `A duration is counted from the first sample that holds, and fires at its end without another sample`() throws {
    var bench = try Bench(rule(#""when":{"metric":"t","operator":">","value":5},"for_seconds":10"#))
    try bench.hear("6", at: 0)
    try bench.hear("4", at: 9)
    try bench.hear("6", at: 20)
    bench.pass(to: 29.9)
    #expect(bench.story.isEmpty)
    bench.pass(to: 100)
    #expect(bench.story == ["r fired 30"])
  }

  @Test func `What fell due takes effect at its own moment, before the event that comes later`() throws {
    var bench = try Bench(rule(#""when":{"metric":"t","operator":">","value":5},"for_seconds":10"#))
    try bench.hear("6", at: 0)
    try bench.hear("4", at: 11)
    #expect(bench.story == ["r fired 10", "r cleared 11"])
  }

  @Test func `A cooldown holds back, and what still holds at its end fires then`() throws {
    var bench = try Bench(rule(#""when":{"metric":"t","operator":">","value":5},"cooldown_seconds":60"#))
    for (second, value) in [(0, "6"), (1, "4"), (2, "6"), (3, "4"), (50, "6")] { try bench.hear(value, at: Double(second)) }
    bench.pass(to: 61)
    #expect(bench.story == ["r fired 0", "r cleared 1", "r fired 60"])
  }

  @Test func `Outside its hours a rule waits`() throws {
    // 12:00 UTC is 13:00 there.
    var bench = try Bench(
      rule(#""when":{"metric":"t","operator":">","value":5},"hours":{"from":"13:01","until":"02:00","utc_offset_minutes":60}"#))
    try bench.hear("6", at: 0)
    #expect(bench.story.isEmpty)
    bench.pass(to: 3600)
    #expect(bench.story == ["r fired 60"])
    let night = EnabledHours(from: 22 * 60, until: 6 * 60, utcOffset_minutes: 0)
    #expect(night.next(from: noon) == noon + .seconds(36_000) && night.next(from: noon + .seconds(46_800)) == noon + .seconds(46_800))
  }

  @Test func `Silence is told after its time, and ends with the next word`() throws {
    var bench = try Bench(rule(#""when":{"no_data_seconds":30}"#))
    bench.pass(to: 1000)
    try bench.hear("1", at: 1000)
    try bench.happen("command:sent", at: 1020)
    try bench.happen("alarm:raised", at: 1020)
    bench.pass(to: 1029)
    #expect(bench.story.isEmpty)
    bench.pass(to: 2000)
    try bench.happen("hello", at: 2001)
    #expect(bench.story == ["r fired 1030", "r cleared 2001"])
  }

  @Test func `A rate is measured over its window`() throws {
    var bench = try Bench(rule(#""when":{"metric":"t","operator":">","value":5,"rate_per_seconds":60,"over_seconds":30}"#))
    for second in stride(from: 0, through: 60, by: 1) { try bench.hear("\(Double(second) * 0.08)", at: Double(second)) }
    #expect(bench.story.isEmpty)
    for second in stride(from: 61, through: 120, by: 1) { try bench.hear("\(4.8 + Double(second - 60) * 0.1)", at: Double(second)) }
    #expect(bench.story.count == 1)
    try bench.hear("4.8", at: 121)
    #expect(bench.story.count == 2)
    #expect(bench.state.series.values.allSatisfy { $0.samples.count <= Series.samplesMax })
  }

  @Test func `An event fires each time it happens, but not when it is only repeated, and ends with another`() throws {
    var bench = try Bench(
      rule(
        #""when":{"event":"cooking:*","where":[{"field":"error.code","operator":"==","value":"E1"},{"field":"n","operator":">","value":2}],"until":{"event":"cooking:started"}}"#
      ))
    let data = #"{"error":{"code":"E1"},"n":3}"#
    try bench.happen("cooking:error", #"{"error":{"code":"E2"},"n":3}"#, at: 0)
    try bench.happen("cooking:error", data, at: 1)
    try bench.happen("cooking:error", data, at: 2, device: 1)
    try bench.happen("cooking:error", data, at: 3)
    try bench.happen("cooking:started", at: 4)
    try bench.happen("cooking:error", #"{"error":"E1","n":3}"#, at: 5)
    #expect(bench.story == ["r fired 1", "r fired 3", "r cleared 4"])
  }

  @Test func `Late samples do not count, repeated ones change nothing, and a clock that went back is followed`() throws {
    var bench = try Bench(rule(#""when":{"metric":"t","operator":">","value":5}"#))
    try bench.hear("6", at: 10)
    try bench.hear("6", at: 11, device: 10)
    try bench.hear("1", at: 12, device: 9)
    #expect(bench.story == ["r fired 10"] && bench.lateCount == 1)
    // Nothing newer for over a minute: the device has another clock now.
    try bench.hear("1", at: 80, device: -1_000_000)
    try bench.hear("6", at: 81, device: -999_999)
    #expect(bench.story == ["r fired 10", "r cleared 80", "r fired 81"])
    // A clock far ahead counts as now, so it silences nobody.
    try bench.hear("1", at: 82, device: 1e9)
    try bench.hear("6", at: 83)
    #expect(bench.story.suffix(2) == ["r cleared 82", "r fired 83"])
  }

  @Test func `The largest numbers are numbers, and what is none is no sample`() throws {
    var bench = try Bench(
      rule(#""when":{"metric":"t","operator":">","value":1e308}"#, id: "big"),
      rule(#""when":{"metric":"t","operator":">","value":1,"rate_per_seconds":1}"#, id: "rate"))
    for (second, value) in [(0, "-1.7e308"), (1, "1e308"), (2, "1e309"), (3, #""NaN""#), (4, "null"), (5, "1.1e308")] {
      try bench.hear(value, at: Double(second))
    }
    #expect(bench.story == ["rate fired 1", "big fired 5"])
  }

  @Test func `Of a sensor's values in one batch the last counts`() throws {
    var bench = try Bench(rule(#""when":{"metric":"oven-1","operator":">","value":80}"#))
    func batch(_ values: [Int]) -> String {
      let datapoints = values.map { #"{"event_public_id":"oven-1","value":\#($0)},{"event_public_id":"other","value":99}"# }
      return #"{"experiment_public_id":null,"datapoints":[\#(datapoints.joined(separator: ","))]}"#
    }
    for (second, values) in [[90, 95, 20], [20, 90], [90, 20, 91], [95, 20]].enumerated() {
      try bench.happen("telemetry:datapoints", batch(values), at: Double(second))
    }
    #expect(bench.story == ["r fired 1", "r cleared 3"])
  }

  @Test func `A rule over many metrics is cleared when the last of them is`() throws {
    var bench = try Bench(rule(#""when":{"metric":"zone.*","operator":">","value":5}"#))
    try bench.happen("telemetry", #"{"zone":{"a":6,"b":7}}"#, at: 0)
    try bench.happen("telemetry", #"{"zone":{"a":1}}"#, at: 1)
    #expect(bench.story == ["r fired 0", "r fired 0"])
    try bench.happen("telemetry", #"{"zone":{"b":1}}"#, at: 2)
    #expect(bench.story.last == "r cleared 2")
  }

  @Test func `State is bounded`() throws {
    var bench = try Bench(rule(#""when":{"metric":"*","operator":">","value":5}"#))
    var refused = 0
    for number in 0..<1200 {
      let event = Event(
        type: try EventType("telemetry"), applianceID: bench.applianceID, timestamp: noon, data: Array(#"{"m\#(number)":1}"#.utf8))
      refused += bench.state.take(event, at: noon, &bench.rules).refusedCount
    }
    #expect(bench.state.series.count == ApplianceState.seriesMax && refused == 1200 - ApplianceState.seriesMax)
  }

  @Test func `A changed rule forgets what the old one remembered, and clears what it raised`() throws {
    var bench = try Bench(rule(#""when":{"metric":"t","operator":">","value":5}"#))
    try bench.hear("6", at: 0)
    let other = RuleSet([try rule(#""when":{"metric":"t","operator":">","value":50}"#)])
    let effects = bench.state.forgetOthers(other, of: bench.applianceID, at: noon)
    #expect(effects == [.cleared(Clearing(ruleID: "r", applianceID: bench.applianceID, reason: .ruleChanged, at: noon))])
    #expect(bench.state.isEmpty)
  }

  @Test func `A state that was stored goes on as if it had not been`() throws {
    let rules = [
      try rule(#""when":{"metric":"t","operator":">","value":50,"clear":45},"for_seconds":3,"cooldown_seconds":20"#, id: "a"),
      try rule(#""when":{"metric":"t","operator":">","value":30,"rate_per_seconds":10,"over_seconds":8}"#, id: "b"),
      try rule(#""when":{"metric":"t","no_data_seconds":7}"#, id: "c"), try rule(#""when":{"event":"beep"},"cooldown_seconds":9"#, id: "d"),
    ]
    var (kept, stored) = (try Bench(rules[0], rules[1], rules[2], rules[3]), try Bench(rules[0], rules[1], rules[2], rules[3]))
    var generator = SystemRandomNumberGenerator()
    var second = 0.0
    for number in 0..<2000 {
      second += Double.random(in: 0...10, using: &generator)
      let value = Double.random(in: 0...100, using: &generator)
      let device = Bool.random(using: &generator) ? second : second - 3
      for isStored in [false, true] {
        var bench = isStored ? stored : kept
        if number % 10 == 0 {
          try bench.happen("beep", #"{"n":\#(number)}"#, at: second)
        } else {
          try bench.hear("\(value)", at: second, device: device)
        }
        if isStored {
          try bench.store()
          bench.pass(to: second + 0.5)
          stored = bench
        } else {
          kept = bench
        }
      }
      second += 1
    }
    kept.pass(to: second + 100)
    stored.pass(to: second + 100)
    #expect(!kept.story.isEmpty && kept.story == stored.story)
    #expect(ApplianceState(Array(kept.state.encoded().dropLast())) == nil && ApplianceState([9]) == nil && ApplianceState([]) == nil)
  }
}
