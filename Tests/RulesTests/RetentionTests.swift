import LocalStack
import Models
import PostgresClient
import Testing

@testable import Rules

@Suite struct RetentionTests {
  @Test func `Old firings and old alarms that are over are forgotten, an alarm that is open is not`() async throws {
    try await RulesBench.run([], replicas: 0) { bench in
      _ = try await bench.value(
        """
        INSERT INTO rule_firings (rule_id, appliance_id, metric, severity, fired_at)
        SELECT 'r', 'A-1', '', 'info', now() - n * interval '1 day' - interval '1 hour' FROM generate_series(0, 99) AS n, generate_series(1, 250);
        INSERT INTO alarms (appliance_id, source, name, severity, metric, raised_at, updated_at, cleared_at, clear_reason)
        SELECT 'A-1', 'rule:r', 'R', 'info', '', now() - interval '200 days', now(), now() - n * interval '1 day' - interval '1 hour', 'recovered'
        FROM generate_series(0, 99) AS n;
        INSERT INTO alarms (appliance_id, source, name, severity, metric, raised_at, updated_at)
        VALUES ('A-1', 'rule:r', 'R', 'info', '', now() - interval '200 days', now() - interval '200 days');
        """)
      let pool = PostgresPool(try bench.postgres.configuration(.rules), limits: .init(connectionsMax: 1), logger: quiet)
      try await RuleSweeper(pool: pool, retention: .seconds(90 * 86_400), logger: quiet).sweep(now: .now())
      #expect(
        try await bench.value("SELECT count(*), count(*) FILTER (WHERE fired_at < now() - interval '90 days') FROM rule_firings")
          == "22500|0")
      #expect(try await bench.value("SELECT count(*), count(*) FILTER (WHERE cleared_at IS NULL) FROM alarms") == "91|1")
    }
  }
}
