import LocalStack
import Models
import PostgresClient
import RuleEvaluation
import Testing

@testable import Store

@Suite struct HistoryTests {
  private let cooker: ApplianceID
  /// 2026-02-14T12:00:00Z
  private let noon = Timestamp(microseconds: 1_771_070_400_000_000)

  init() throws { cooker = try ApplianceID("EPIC-001") }

  private func withHistory(_ script: String, _ body: (HistoryStore) async throws -> Void) async throws {
    try await withMigratedDatabase { postgres, _ in
      _ = try await postgres.query("SELECT make_event_partitions('2026-02-13', '2026-02-16');" + script)
      try await body(HistoryStore(PostgresPool(try postgres.configuration(.api), logger: quiet)))
    }
  }

  /// Every page from the first to the last.
  private func all<Item, Position>(
    _ read: (Position?) async throws -> HistoryPage<Item, Position>
  ) async throws -> [[Item]] {
    var pages: [[Item]] = []
    var position: Position?
    repeat {
      let page = try await read(position)
      pages.append(page.items)
      position = page.next
    } while position != nil && pages.count < 100
    return pages
  }

  // MARK: Rules over the past

  /// 2500 events, one a second, with a number that goes from 0 to 99 again and again.
  private static let sawtooth = """
    INSERT INTO events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data)
    SELECT timestamptz '2026-02-14T12:00:00Z' + n * interval '1 s', 0, 0, 'EPIC-001', 'telemetry',
      timestamptz '2026-02-14T12:00:00Z' + n * interval '1 s', false, json_build_object('t', n % 100)
    FROM generate_series(0, 2499) AS n;
    """

  @Test func `A replay ends where a limit is reached, and says up to where it came`() async throws {
    let rule = try Rule(parsing: Array(#"{"id":"r","when":{"metric":"t","operator":">","value":89}}"#.utf8))
    try await withHistory(Self.sawtooth) { history in
      let window = HistoryWindow(from: noon, to: noon + .seconds(2450))
      // Limits are looked at after each page of a thousand, whose last event was taken in.
      let cases: [(ReplayLimits, until: Duration, firings: Int)] = [
        (ReplayLimits(effectsMax: 1000), .seconds(2450), 24),
        (ReplayLimits(eventsMax: 3000, effectsMax: 1000), .seconds(2450), 24),
        (ReplayLimits(eventsMax: 1001, effectsMax: 1000), .seconds(1999), 20),
        (ReplayLimits(effectsMax: 3), .seconds(999), 10),
        (ReplayLimits(effectsMax: 1000, time: .zero), .seconds(999), 10),
      ]
      for (limits, until, firings) in cases {
        let found = try await history.replay(rule, of: cooker, in: window, limits: limits)
        #expect(found.until - noon == until, "\(limits)")
        #expect(found.effects.count { if case .fired = $0 { true } else { false } } == firings, "\(limits)")
      }
    }
  }

  // MARK: Events

  /// 30 events over three days, three to a millisecond.
  private static let thirtyEvents = """
    INSERT INTO events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data, extras)
    SELECT timestamptz '2026-02-13T23:00:00Z' + n / 3 * interval '7 hours', n % 3, 0, 'EPIC-001',
      (ARRAY['cooking:progress', 'appliance:alert', 'telemetryish'])[n % 3 + 1], '2026-02-14T12:00:00Z', n = 4, format('{"n":%s}', n)::json,
      CASE n WHEN 0 THEN '{"v":1,"w":"ü"}'::json END
    FROM generate_series(0, 29) AS n;
    INSERT INTO events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data)
    SELECT timestamptz '2026-02-14T06:00:00Z', 0, 0, 'OTHER', 'appliance:alert', '2026-02-14T12:00:00Z', false, '{"n":99}';
    """

  private func numbers(_ events: [StoredEvent]) throws -> [Int] {
    try events.map { Int(try #require(JSONObject(parsing: $0.event.data).number("n"))) }
  }

  @Test func `Events come page by page, in the log's order or against it, each once`() async throws {
    try await withHistory(Self.thirtyEvents) { history in
      for (order, expected) in [(HistoryOrder.oldestFirst, Array(0..<30)), (.newestFirst, (0..<30).reversed())] {
        for limit in [1, 4, 10, 30, 1000] {
          let pages = try await all { try await history.events(of: cooker, order: order, after: $0, limit: limit) }
          #expect(try pages.flatMap(numbers) == expected, "\(order), \(limit) a page")
          #expect(pages.dropLast().allSatisfy { $0.count == limit } && pages.last?.isEmpty == false)
        }
      }
      let first = try await history.events(of: cooker, limit: 5).items
      #expect(first[0].event.id?.description == "1771023600000-0" && first[0].event.extras == Array(#","v":1,"w":"ü""#.utf8))
      #expect(first.map(\.isLate) == [false, false, false, false, true])
      #expect(try Event(parsing: first[0].event.encoded()) == first[0].event)
    }
  }

  @Test func `Events are found by window and type`() async throws {
    try await withHistory(Self.thirtyEvents) { history in
      let window = HistoryWindow(from: Timestamp(iso8601: "2026-02-14T06:00:00Z"), to: Timestamp(iso8601: "2026-02-14T20:00:00Z"))
      #expect(try await numbers(history.events(of: cooker, in: window).items) == [3, 4, 5, 6, 7, 8])
      let alert = try EventType("appliance:alert")
      #expect(try await numbers(history.events(of: cooker, in: window, types: [alert]).items) == [4, 7])
      for (types, residues) in [(["appliance:alert"], [1]), (["telemetryish", "appliance:alert"], [1, 2]), (["cooking:progress"], [0])] {
        let types = Set(try types.map(EventType.init))
        for order in HistoryOrder.allCases {
          let pages = try await all { try await history.events(of: cooker, types: types, order: order, after: $0, limit: 3) }
          let expected = (0..<30).filter { residues.contains($0 % 3) }
          #expect(try pages.flatMap(numbers) == (order == .oldestFirst ? expected : expected.reversed()), "\(types)")
        }
      }
      #expect(try await history.events(of: cooker, types: []).items.isEmpty)
      #expect(try await history.events(of: cooker, in: HistoryWindow(from: noon, to: noon)).items.isEmpty)
    }
  }

  // MARK: Readings

  /// 60 readings, five to a time, every 20 s from noon; and the minutes that follow from them.
  private static let sixtyReadings = """
    INSERT INTO readings (received_at, appliance_id, metric, timestamp, value)
    SELECT timestamptz '2026-02-14T12:00:00Z', 'EPIC-001', 'temperature', timestamptz '2026-02-14T12:00:00Z' + n / 5 * interval '20 seconds', n
    FROM generate_series(0, 59) AS n;
    INSERT INTO readings_by_minute
    SELECT appliance_id, metric, date_trunc('minute', timestamp), count(*), sum(value), min(value), max(value),
      (array_agg(value ORDER BY timestamp DESC, value))[1], max(timestamp)
    FROM readings GROUP BY 1, 2, 3;
    INSERT INTO readings_by_minute SELECT 'EPIC-001', m, '2026-02-14T12:00:00Z', 1, 5, 5, 5, 5, '2026-02-14T12:00:01Z' FROM unnest(ARRAY['a', 'b.c', 'Z']) AS m;
    """

  @Test func `Readings come page by page, also when many have one time`() async throws {
    try await withHistory(Self.sixtyReadings) { history in
      for (order, expected) in [
        (HistoryOrder.oldestFirst, (0..<60).map(Double.init)), (.newestFirst, (0..<60).reversed().map(Double.init)),
      ] {
        for limit in [1, 3, 5, 7, 60] {
          let pages = try await all {
            try await history.readings(of: cooker, metric: "temperature", order: order, after: $0, limit: limit)
          }
          #expect(pages.flatMap { $0.map(\.value) } == expected, "\(order), \(limit) a page")
        }
      }
      let window = HistoryWindow(from: noon + .seconds(20), to: noon + .seconds(40))
      #expect(try await history.readings(of: cooker, metric: "temperature", in: window).items.map(\.value) == [5, 6, 7, 8, 9])
      #expect(try await history.readings(of: cooker, metric: "temp\0erature").items.isEmpty)
    }
  }

  @Test func `Buckets from the roll-up say what the readings say`() async throws {
    try await withHistory(Self.sixtyReadings) { history in
      let window = HistoryWindow(from: noon + .seconds(59), to: noon + .seconds(61))
      func buckets(_ seconds: Int, limit: Int = 100) async throws -> [ReadingBucket] {
        try await history.buckets(of: cooker, metric: "temperature", in: window, seconds: seconds, limit: limit)
      }
      let minutes = try await buckets(60)
      #expect(
        minutes == [
          ReadingBucket(start: noon, count: 15, min: 0, max: 14, average: 7, last: 10),
          ReadingBucket(start: noon + .seconds(60), count: 15, min: 15, max: 29, average: 22, last: 25),
        ])
      #expect(try await buckets(60, limit: 1) == [minutes[0]])
      #expect(try await buckets(120) == [ReadingBucket(start: noon, count: 30, min: 0, max: 29, average: 14.5, last: 25)])
      #expect(try await buckets(86_400).map(\.count) == [60])
      let raw = try await buckets(20)
      #expect(raw.map(\.start) == [noon + .seconds(40), noon + .seconds(60)])
      #expect(raw.map(\.count) == [5, 5] && raw.map(\.average) == [12, 17] && raw.map(\.min) == [10, 15])
      for seconds in [0, -1, .max] { #expect(try await !buckets(seconds).isEmpty) }
      let everything = try await history.buckets(of: cooker, metric: "temperature", in: HistoryWindow(), seconds: 7, limit: 1000)
      #expect(everything.reduce(0) { $0 + $1.count } == 60)
    }
  }

  @Test func `Metrics are told by name with their newest reading`() async throws {
    try await withHistory(Self.sixtyReadings) { history in
      for limit in [1, 2, 3, 4, 100] {
        let pages = try await all { try await history.metrics(of: cooker, after: $0, limit: limit) }
        #expect(pages.flatMap { $0.map(\.name) } == ["Z", "a", "b.c", "temperature"], "\(limit) a page")
      }
      let temperature = try await history.metrics(of: cooker, after: "b.c").items
      #expect(temperature == [StoredMetric(name: "temperature", lastAt: noon + .seconds(220), last: 55)])
      #expect(try await history.metrics(of: ApplianceID("OTHER")).items.isEmpty)
    }
  }

  // MARK: Sessions and commands

  @Test func `Sessions come newest first with their stages`() async throws {
    try await withHistory(
      """
      INSERT INTO cooking_sessions (appliance_id, session_id, started_at, updated_at)
      SELECT 'EPIC-001', format('s%s', n), timestamptz '2026-02-14T12:00:00Z' + n / 2 * interval '1 hour', now() FROM generate_series(0, 6) AS n;
      UPDATE cooking_sessions SET outcome = 'complete', ended_at = '2026-02-14T13:00:00Z', summary = '{"n": 1.50}' WHERE session_id = 's1';
      INSERT INTO cooking_stages (appliance_id, session_id, stage, name, duration_s, started_at, ended_at) VALUES
        ('EPIC-001', 's1', 2, 'Fry', NULL, '2026-02-14T12:01:00Z', NULL),
        ('EPIC-001', 's1', 1, 'Heat', 59.5, '2026-02-14T12:00:00Z', '2026-02-14T12:01:00Z'), ('EPIC-001', 's2', 1, NULL, NULL, NULL, NULL);
      """
    ) { history in
      for limit in [1, 2, 3, 7, 50] {
        let pages = try await all { try await history.sessions(of: cooker, after: $0, limit: limit) }
        #expect(pages.flatMap { $0.map(\.id) } == (0...6).reversed().map { "s\($0)" }, "\(limit) a page")
        #expect(pages.flatMap { $0.map(\.stages.count) } == [0, 0, 0, 0, 1, 2, 0])
      }
      let session = try #require(try await history.session("s1", of: cooker))
      #expect(session.outcome == .complete && session.summary == Array(#"{"n": 1.50}"#.utf8))
      #expect(session.stages.map(\.number) == [1, 2] && session.stages.map(\.endedAt) == [noon + .seconds(60), noon + .seconds(3600)])
      #expect(session.stages[0].durationSeconds == 59.5)
      #expect(try await history.session("s1", of: ApplianceID("OTHER")) == nil)
      #expect(try await history.session("s\0", of: cooker) == nil)
    }
  }

  @Test func `Commands come newest first`() async throws {
    try await withHistory(
      """
      INSERT INTO commands (appliance_id, command_id, type, user_id, data, state, issued_at, settled_at, code, message)
      SELECT 'EPIC-001', format('c%s', n), 'cooking:stop', 'ann', '{"x": 1}', CASE n WHEN 3 THEN 'failed' ELSE 'sent' END,
        timestamptz '2026-02-14T12:00:00Z' + n / 2 * interval '1 hour', CASE n WHEN 3 THEN now() END,
        CASE n WHEN 3 THEN 'COMMAND_TIMEOUT' END, CASE n WHEN 3 THEN 'Too late' END
      FROM generate_series(0, 6) AS n;
      """
    ) { history in
      for limit in [1, 2, 3, 7] {
        let pages = try await all { try await history.commands(of: cooker, after: $0, limit: limit) }
        #expect(pages.flatMap { $0.map(\.id) } == (0...6).reversed().map { "c\($0)" }, "\(limit) a page")
      }
      let command = try #require(try await history.command("c3", of: cooker))
      #expect(command.state == .failed && command.code == "COMMAND_TIMEOUT" && command.settledAt != nil && command.userID == "ann")
      #expect(command.issuedAt == noon + .seconds(3600) && command.data == Array(#"{"x": 1}"#.utf8) && command.expiresAt == nil)
      #expect(try await history.command("c3", of: ApplianceID("OTHER")) == nil)
    }
  }

  @Test func `A position that somebody made up is no harm`() async throws {
    try await withHistory(Self.thirtyEvents + Self.sixtyReadings) { history async throws in
      for milliseconds: UInt64 in [0, UInt64.max, UInt64.max / 1000, UInt64(Int64.max)] {
        for order in HistoryOrder.allCases {
          let id = EventID(milliseconds: milliseconds, sequence: .max)
          let isBeforeAll = (milliseconds == 0) == (order == .oldestFirst)
          #expect(try await history.events(of: cooker, order: order, after: id).items.count == (isBeforeAll ? 30 : 0))
        }
      }
      for time in [Int64.min, -1, 0, .max] {
        let timestamp = Timestamp(microseconds: time)
        for order in HistoryOrder.allCases {
          let position = ReadingPosition(timestamp: timestamp, skip: .max)
          #expect(try await history.readings(of: cooker, metric: "temperature", order: order, after: position).items.isEmpty)
        }
        #expect(try await history.sessions(of: cooker, after: SessionPosition(startedAt: timestamp, sessionID: "s\0")).items.isEmpty)
        #expect(try await history.commands(of: cooker, after: CommandPosition(issuedAt: timestamp, commandID: "c")).items.isEmpty)
        let window = HistoryWindow(from: timestamp)
        #expect(try await history.buckets(of: cooker, metric: "temperature", in: window, seconds: .max, limit: .max).count <= 1)
      }
    }
  }
}
