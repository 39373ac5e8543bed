import LocalStack
import Testing

/// A rule that stops a cooker, from the thermometer to the stove and to the people's apps.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CookerRuleTests {
  private static let appliance = "EPIC-001"
  private static let rules = """
    rules:
      - id: too-hot
        severity: critical
        appliances: [\(appliance)]
        when: {metric: temperature, operator: ">", value: 100, clear: 90}
        actions: {alarm: true, event: true, command: {type: "cooking:stop"}}
    """

  @Test func `A cooker that gets too hot is stopped once, and an app at another gateway hears of all of it`() async throws {
    try await Backbone.run(appliances: [Self.appliance], rules: 2) { backbone in
      let stack = backbone.stack
      try await stack.martletctl("apply", "-", input: Self.rules)
      try await Subscriber.run(backbone.gateway(2), token: backbone.token, appliances: [Self.appliance]) { app in
        try await stack.keepMartletctl(
          "cooker", ["simulate", "epicura", Self.appliance, "--interval", "0.1", "--speed", "20", "--seed", "1"])
        let triggered = try await app.event("rule:triggered")
        #expect(triggered["data"]?["rule_id"]?.string == "too-hot" && triggered["data"]?["severity"]?.string == "critical")
        #expect(try await app.event("alarm:raised")["data"]?["source"]?.string == "rule:too-hot")
        _ = try await app.event("command:acknowledged") { $0["data"]?["type"]?.string == "cooking:stop" }
        try await backbone.waitForRow("stopped", "SELECT string_agg(outcome, ' ') FROM cooking_sessions")
        // A stopped cooker reports no temperature, so the alarm is still there.
        let counts =
          "SELECT (SELECT count(*) FROM rule_firings), (SELECT count(*) FROM commands), (SELECT count(*) FROM alarms WHERE cleared_at IS NULL)"
        #expect(try await stack.postgres.query(counts) == "1|1|1")
      }
    }
  }
}
