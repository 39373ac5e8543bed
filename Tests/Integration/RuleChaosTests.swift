import Foundation
import LocalStack
import Testing

/// The rules' replicas are killed at random moments under load, and nothing of what fires changes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RuleChaosTests {
  private static let appliances = (1...6).map { "CHAOS-\($0)" }
  private static let killCount = 30
  private static let rules = """
    rules:
      - {id: hot, when: {metric: t, operator: ">", value: 80, clear: 70}}
      - {id: long, when: {metric: t, operator: ">", value: 20}, for_seconds: 0.2, cooldown_seconds: 1}
      - {id: each, when: {event: "cooking:stage_change"}, actions: {alarm: true, event: true}}
      - {id: mute, when: {no_data_seconds: 2}}
    """

  @Test func `Thirty kills of the rules' replicas change no firing, no alarm and nothing that is told`() async throws {
    let (generator, seed) = SeededGenerator.announced()
    try await Backbone.run(appliances: Self.appliances, gateways: 1, rules: 2) { backbone in
      try await backbone.stack.martletctl("apply", "-", input: Self.rules)
      var generator = generator
      for round in 0..<Self.killCount {
        let victim = "rules-\(Int.random(in: 1...2, using: &generator))"
        let moment = Duration.milliseconds(Int.random(in: 0...150, using: &generator))
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await publish(round, to: backbone.stack.mosquitto) }
          group.addTask {
            // Random is just what the moment is to be.
            try await Task.sleep(for: moment)
            try await backbone.stack.kill(victim)
            try await backbone.stack.start(victim)
          }
          try await group.waitForAll()
        }
      }
      try await settle(backbone)
      for rule in ["hot", "long", "each", "mute"] {
        let (count, difference) = try await compare(rule, backbone)
        #expect(
          count >= 6 && difference == "0|0", "\(rule) fired \(count) times; missing|too many: \(difference), MARTLET_CHAOS_SEED=\(seed)",
          sourceLocation: #_sourceLocation)
      }
      let postgres = try backbone.stack.postgres
      let firings = try await postgres.query("SELECT count(*) FROM rule_firings")
      #expect(try await postgres.query("SELECT sum(raised_count) FROM alarms") == firings, "MARTLET_CHAOS_SEED=\(seed)")
      try await backbone.waitForRow(firings, limit: .seconds(20), "SELECT count(*) FROM events WHERE type = 'rule:triggered'")
    }
  }

  private func publish(_ round: Int, to mosquitto: MosquittoServer) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (place, appliance) in Self.appliances.enumerated() {
        let lines = (0..<60).map { #"{"t":\#(($0 * 37 + round * 11 + place * 5) % 100),"n":\#(round * 1000 + $0)}"# + "\n" }.joined()
        group.addTask { try await mosquitto.publish("-q", "1", "-t", "epicura/\(appliance)/session/progress", "-l", input: lines) }
      }
      let changes = #"{"n":\#(round)}"#
      group.addTask { try await mosquitto.publish("-q", "1", "-t", "epicura/CHAOS-1/session/stage_change", "-m", changes) }
      try await group.waitForAll()
    }
  }

  /// The last word of each appliance is cold; then all of it is stored, has taken effect and is told, and silence has been noticed.
  private func settle(_ backbone: Backbone) async throws {
    for appliance in Self.appliances {
      try await backbone.stack.mosquitto.publish("-q", "1", "-t", "epicura/\(appliance)/session/progress", "-m", #"{"t":0,"end":1}"#)
    }
    try await backbone.waitForRow("6", "SELECT count(*) FROM events WHERE (data->>'end') = '1'")
    try await backbone.waitForRow(
      "6", "SELECT count(*) FROM alarms WHERE source = 'rule:mute' AND cleared_at IS NULL")
    try await backbone.waitForRow("0", "SELECT count(*) FROM rule_outbox")
  }

  /// - Returns: how often it fired, and how many firings only the back-test or only the live run has.
  private func compare(_ rule: String, _ backbone: Backbone) async throws -> (count: Int, difference: String) {
    let lines = try await backbone.stack.martletctl("backtest", rule, "--json").split(separator: "\n").filter { $0.contains(#""firing""#) }
    let difference = try await backbone.stack.postgres.query(
      """
      WITH replayed AS (
        SELECT appliance_id, coalesce(metric, '') AS metric, value, fired_at FROM json_to_recordset($json$[\(lines.joined(separator: ","))]$json$)
          AS line (appliance_id text, metric text, value double precision, fired_at timestamptz)),
      live AS (SELECT appliance_id, metric, value, fired_at FROM rule_firings WHERE rule_id = '\(rule)')
      SELECT (SELECT count(*) FROM (SELECT * FROM replayed EXCEPT ALL SELECT * FROM live) AS missing),
        (SELECT count(*) FROM (SELECT * FROM live EXCEPT ALL SELECT * FROM replayed) AS surplus)
      """)
    return (lines.count, difference)
  }
}
