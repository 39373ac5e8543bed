import EventLog
import Models
import RuleEvaluation
import Testing

@testable import Rules
@testable import Store

@Suite struct KilledSessionTests {
  private static let rules = [
    #"{"id":"hot","when":{"metric":"t","operator":">","value":80,"clear":70}}"#,
    #"{"id":"long","when":{"metric":"t","operator":">","value":40},"for_seconds":0.05,"cooldown_seconds":0.2}"#,
    #"{"id":"beep","when":{"event":"beep"},"actions":{"alarm":true,"event":true}}"#,
  ]

  @Test func `Sessions killed at any moment change no firing, and the log hears of each alarm once`() async throws {
    let log = MemoryEventLog()
    try await RulesBench.run(Self.rules, replicas: 2, log: log) { bench in
      try await loadAndKill(bench)
      let expected = try await replay(log)
      #expect(!expected.isEmpty)
      try await bench.eventually("SELECT count(*) FROM rule_firings", is: "\(expected.count)")
      try await bench.eventually("SELECT count(*) FROM rule_outbox", is: "0")
      #expect(try await firings(bench) == expected)
      let triggered = try await (0..<20).asyncSum { number in try await bench.told("A-\(number)").count { $0 == "rule:triggered" } }
      #expect(triggered == expected.count)
      #expect(
        try await bench.value(
          "SELECT count(*) FROM (SELECT FROM alarms WHERE cleared_at IS NULL GROUP BY appliance_id, source HAVING count(*) > 1) AS doubled")
          == "0")
    }
  }

  /// Thirty rounds of events, with every session of the rules killed in each.
  private func loadAndKill(_ bench: RulesBench) async throws {
    for round in 0..<30 {
      let entries = try (0..<200).map { number in
        let value = (number * 37 + round * 11) % 100
        let event = Event(
          type: try EventType(number % 25 == 0 ? "beep" : "telemetry"), applianceID: try ApplianceID("A-\(number % 20)"), timestamp: .now(),
          data: Array(#"{"t":\#(value),"n":\#(round * 1000 + number)}"#.utf8))
        return LogEntry(.event(event), order: event.timestamp)
      }
      _ = try await bench.log.append(entries)
      _ = try await bench.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'martlet_rules'")
    }
    // The last word of each appliance is cold, so that nothing falls due after it.
    for number in 0..<20 { try await bench.happen("telemetry", #"{"t":0}"#, of: "A-\(number)", at: .now() + .seconds(1)) }
  }

  private func replay(_ log: MemoryEventLog) async throws -> [String] {
    let rules = try Self.rules.map { try Rule(parsing: Array($0.utf8)) }
    var lines: [String] = []
    for shard in 0..<Bus.shardCount {
      var pass = EvaluationPass([:], RulePlans(.init(rules: rules)))
      for record in try await log.read(shard: shard, after: .zero, limit: 100_000, wait: .zero).records { pass.take(record) }
      lines += pass.firings.map { "\($0.ruleID) \($0.applianceID) \($0.at.microseconds)" }
    }
    return lines.sorted()
  }

  private func firings(_ bench: RulesBench) async throws -> [String] {
    try await bench.value(
      "SELECT concat_ws(' ', rule_id, appliance_id, (extract(epoch FROM fired_at) * 1000000)::bigint) FROM rule_firings"
    ).split(separator: "\n").map(String.init).sorted()
  }
}

extension RuleBook.Edition {
  /// Of no appliance.
  init(rules: [Rule]) {
    self.init(RuleRows.Reading(revision: RuleRows.Revision(rules: 1, appliances: 1), rules: rules, unreadable: [:], dialects: [:]))
  }
}

extension Range<Int> {
  fileprivate func asyncSum(_ count: (Int) async throws -> Int) async throws -> Int {
    var sum = 0
    for number in self { sum += try await count(number) }
    return sum
  }
}
