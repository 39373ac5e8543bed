import LocalStack
import Models
import PostgresClient
import ServiceLifecycle
import Testing

@testable import Store

@Suite struct HistoryPlanTests {
  /// Four days, 40 appliances: 60,000 events, as many readings, and what follows from them.
  private static let plenty = """
    SELECT make_event_partitions('2026-02-13', '2026-02-16');
    INSERT INTO events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data)
    SELECT timestamptz '2026-02-13T00:00:00Z' + n * interval '5760 milliseconds', 0, 0, format('A-%s', n % 40),
      CASE WHEN n % 97 = 0 THEN 'appliance:alert' ELSE 'cooking:progress' END, '2026-02-14T12:00:00Z', false, '{}'
    FROM generate_series(0, 59999) AS n;
    INSERT INTO readings SELECT received_at, appliance_id, 'temperature', received_at, 1 FROM events;
    INSERT INTO readings_by_minute
    SELECT appliance_id, metric, date_trunc('minute', timestamp), count(*), 1, 1, 1, 1, max(timestamp) FROM readings GROUP BY 1, 2, 3;
    INSERT INTO cooking_sessions (appliance_id, session_id, started_at, updated_at)
    SELECT appliance_id, format('s-%s', received_at), received_at, received_at FROM events;
    INSERT INTO cooking_stages (appliance_id, session_id, stage) SELECT appliance_id, session_id, 1 FROM cooking_sessions;
    INSERT INTO commands (appliance_id, command_id, type, state, issued_at)
    SELECT appliance_id, format('c-%s', received_at), type, 'sent', received_at FROM events;
    INSERT INTO users (id, name) VALUES ('alice', '');
    INSERT INTO appliances (id, owner_id, dialect, name) SELECT DISTINCT appliance_id, 'alice', 'epicura', '' FROM events;
    INSERT INTO rule_firings (rule_id, appliance_id, metric, severity, fired_at) SELECT 'r', appliance_id, '', 'info', received_at FROM events;
    INSERT INTO alarms (appliance_id, source, name, severity, metric, raised_at, updated_at, cleared_at, clear_reason)
    SELECT appliance_id, 'rule:r', '', 'info', '', received_at, received_at, received_at, 'device' FROM events;
    ANALYZE;
    """

  /// Rows that PostgreSQL has read one after the other, since the last time that it was asked.
  private static let read = """
    SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables
    WHERE relname ~ '^(events|readings|commands|cooking_|alarms|rule_firings)'
    """

  @Test func `No page is found by reading a table from end to end`() async throws {
    try await withMigratedDatabase { postgres, owner in
      _ = try await postgres.query(Self.plenty)
      let before = try await postgres.query(Self.read)
      let pool = PostgresPool(try postgres.configuration(.api), limits: .init(connectionsMax: 1), logger: quiet)
      let history = HistoryStore(pool)
      let appliance = try ApplianceID("A-7")
      let noon = Timestamp(microseconds: 1_771_070_400_000_000)
      // Again and again: after a few times PostgreSQL plans without looking at the parameters.
      for round in 0..<8 {
        for order in HistoryOrder.allCases {
          let first = try await history.events(of: appliance, order: order, limit: 10)
          #expect(try await history.events(of: appliance, order: order, after: first.next, limit: 10).items.count == 10, "\(round)")
          #expect(try await !history.events(of: appliance, types: [EventType("appliance:alert")], order: order, limit: 10).items.isEmpty)
          let readings = try await history.readings(of: appliance, metric: "temperature", order: order, limit: 10)
          _ = try await history.readings(of: appliance, metric: "temperature", order: order, after: readings.next, limit: 10)
        }
        let window = HistoryWindow(from: noon, to: noon + .seconds(3600))
        for seconds in [7, 60, 3600] {
          _ = try await history.buckets(of: appliance, metric: "temperature", in: window, seconds: seconds, limit: 1000)
        }
        #expect(try await history.metrics(of: appliance).items.map(\.name) == ["temperature"])
        let sessions = try await history.sessions(of: appliance, limit: 10)
        _ = try await history.sessions(of: appliance, after: sessions.next, limit: 10)
        _ = try await history.session(sessions.items[0].id, of: appliance)
        let commands = try await history.commands(of: appliance, limit: 10)
        _ = try await history.commands(of: appliance, after: commands.next, limit: 10)
        _ = try await history.command(commands.items[0].id, of: appliance)
        let firings = try await RuleStore(pool).firings(of: appliance, limit: 10)
        _ = try await RuleStore(pool).firings(of: appliance, rule: "r", after: firings.next, limit: 10)
        for scope in [AlarmStore.Scope.appliance(appliance), .visible(toUser: "alice"), .everything] {
          let alarms = try await AlarmStore(pool).alarms(scope, limit: 10)
          #expect(try await AlarmStore(pool).alarms(scope, isOpen: false, after: alarms.next, limit: 10).items.count == 10, "\(scope)")
          #expect(try await AlarmStore(pool).alarms(scope, isOpen: true, limit: 10).items.isEmpty)
        }
      }
      // A session tells its counts when asked to, so that nothing has to be waited for.
      try await pool.execute("SELECT pg_stat_force_next_flush()")
      #expect(try await owner.query("SELECT sum(idx_scan) > 0 FROM pg_stat_user_tables").decode(Bool.self) == [true])
      #expect(try await postgres.query(Self.read) == before)
    }
  }
}
