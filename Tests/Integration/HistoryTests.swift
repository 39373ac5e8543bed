import Foundation
import LocalStack
import Testing

/// What follows from a device's events, from its publish to `psql`.
@Suite(.serialized, .timeLimit(.minutes(5))) struct HistoryTests {
  @Test func `A simulated session is one row that says what its events say`() async throws {
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1) { backbone in
      try await backbone.stack.martletctl(
        "simulate", "epicura", "EPIC-001", "--sessions", "1", "--seed", "7", "--interval", "0.02", "--speed", "1000")
      try await backbone.waitForRow("1", "SELECT count(*) FROM events WHERE type = 'cooking:complete'")
      let told = try await backbone.stack.postgres.query(
        """
        SELECT started.data->>'session_id', started.data->>'recipe_id', started.data->>'recipe_name', started.data->>'total_stages',
          complete.data->>'stages_completed', started.timestamp, complete.timestamp, 'complete', complete.data
        FROM events started, events complete WHERE started.type = 'cooking:started' AND complete.type = 'cooking:complete'
        """)
      let kept = try await backbone.stack.postgres.query(
        """
        SELECT session_id, recipe_id, recipe_name, total_stages, current_stage, started_at, ended_at, outcome, summary
        FROM cooking_sessions WHERE appliance_id = 'EPIC-001'
        """)
      #expect(kept == told && kept.hasPrefix("session-"))

      let stagesTold = try await backbone.stack.postgres.query(
        """
        SELECT data->'previous_stage'->>'index', data->'previous_stage'->>'name', data->'previous_stage'->>'duration_s',
          data->'previous_stage'->>'result', data->'previous_stage'->>'transition', timestamp
        FROM events WHERE type = 'cooking:stage_change' ORDER BY log_seq, received_at
        """)
      let stagesKept = try await backbone.stack.postgres.query(
        "SELECT stage, name, duration_s, result, transition, ended_at FROM cooking_stages WHERE ended_at IS NOT NULL ORDER BY stage")
      #expect(Set(stagesKept.split(separator: "\n")) == Set(stagesTold.split(separator: "\n")) && !stagesKept.isEmpty)
      try await backbone.waitForRow(
        "t", "SELECT count(*) = max(s.total_stages) FROM cooking_stages JOIN cooking_sessions s USING (appliance_id, session_id)")

      try await backbone.waitForRow(
        "t",
        """
        SELECT (SELECT (sum(count)::bigint, min(min), max(max)) FROM readings_by_minute WHERE metric = 'temperature')
          = (SELECT (count(*), min(value), max(value)) FROM readings WHERE metric = 'temperature')
        """)
    }
  }

  @Test func `The document's examples are one session`() async throws {
    let examples = [
      "cooking.started": "session/started", "cooking.progress": "session/progress", "cooking.stage_change": "session/stage_change",
      "cooking.complete": "session/complete", "cooking.error": "session/error",
    ]
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1) { backbone in
      for (fixture, topic) in examples {
        let text = try Fixtures.epicura(fixture)
        try await backbone.stack.mosquitto.publish("-q", "1", "-t", "epicura/EPIC-001/\(topic)", "-s", input: text)
      }
      try await backbone.waitForRow("5", "SELECT count(*) FROM events")
      let row = try await backbone.stack.postgres.query(
        """
        SELECT session_id, recipe_id, recipe_name, total_stages, current_stage, current_stage_name, outcome, started_at, ended_at,
          last_error->>'code', last_error->>'severity', last_error->>'action_taken', summary->>'peak_temperature'
        FROM cooking_sessions
        """)
      #expect(
        row == "session-uuid-001|recipe-uuid-001|Dal Tadka|6|4|Add Spices|complete|2026-02-14 12:30:05+00|2026-02-14 13:05:22+00"
          + "|OVER_TEMPERATURE|critical|e_stop|182.5")
      let stages = try await backbone.stack.postgres.query(
        "SELECT stage, name, duration_s, result, transition, started_at, ended_at FROM cooking_stages ORDER BY stage")
      #expect(
        stages.split(separator: "\n") == [
          "3|Saute Onions|312|success|cv_detected|2026-02-14 12:32:48+00|2026-02-14 12:38:00+00",
          "4|Add Spices||||2026-02-14 12:38:00+00|",
        ])
    }
  }
}
