import EventLog
import LocalStack
import Models
import PostgresClient
import Store
import Testing

@testable import Persister

@Suite struct ProjectionStorageTests {
  private let cooker: ApplianceID
  private let noon = CookingTale.noon

  init() throws { cooker = try ApplianceID("EPIC-001") }

  /// Everything that followed from the events, as text.
  private static let all = """
    SELECT json_agg(s ORDER BY session_id) FROM cooking_sessions s; SELECT json_agg(s ORDER BY session_id, stage) FROM cooking_stages s;
    SELECT json_agg(c ORDER BY command_id) FROM commands c; SELECT json_agg(r ORDER BY metric, minute) FROM readings_by_minute r;
    """

  private func writer(_ postgres: PostgresServer) async throws -> BatchWriter {
    let connection = try await PostgresConnection.connect(postgres.configuration(.persister), logger: quiet)
    return BatchWriter(
      shard: 0, connection: connection, calendar: PartitionCalendar(daysAhead: 1), metrics: PersisterMetrics(), logger: quiet)
  }

  /// Stores the records, so many in each batch.
  private func store(_ records: [LogRecord], batch: Int = .max, _ postgres: PostgresServer) async throws {
    let writer = try await writer(postgres)
    var cursor = try await writer.connection.run { try LogCursor.load(consumer: "persister", shard: 0, in: $0) }
    var rest = records[...]
    while !rest.isEmpty {
      cursor = try await writer.store(Array(rest.prefix(batch)), epoch: "e1", from: cursor)
      rest = rest.dropFirst(batch)
    }
    await writer.connection.close()
  }

  /// Sessions that end in every way there is, in an unlucky order.
  private func tale() throws -> [LogRecord] {
    var tale = try CookingTale()
    try tale.start("gone", at: 0)
    try tale.change("gone", at: 30, from: 1, "Heat", lasting: 30, to: "Fry")
    try tale.start("stopped", at: 100)
    try tale.progress("gone", at: 31, stage: 2, "Fry", isLate: true)
    try tale.tell(
      "command:requested", at: 110, "'command_id':'c1','type':'cooking:stop','expires_at':'2026-02-14T12:02:00Z','data':{'a':1.50}")
    try tale.tell("command:sent", at: 111, "'command_id':'c1','type':'cooking:stop'")
    try tale.stop(at: 112)
    try tale.tell("command:sent", at: 113, "'command_id':'c1','type':'cooking:stop'")
    try tale.start("failed", at: 200)
    try tale.fail("failed", at: 210, "OVER_TEMPERATURE")
    try tale.fail("failed", at: 211, "POT_REMOVED")
    try tale.stop(at: 212, "c2")
    try tale.start("late", at: 150, isLate: true)
    try tale.complete("overtaken", at: 290)
    try tale.start("done", at: 300)
    try tale.start("overtaken", at: 250, isLate: true)
    try tale.progress("done", at: 320, stage: 2, "Fry")
    try tale.progress("done", at: 310, stage: 1, "Heat", isLate: true)
    try tale.change("done", at: 330, from: 2, "Fry\\u0000", lasting: 20, to: "Rest")
    try tale.complete("done", at: 400)
    try tale.start("open", at: 500)
    try tale.progress("open", at: 505, stage: 1, "Heat")
    return tale.records
  }

  @Test func `The same rows come of the log, however it is cut into batches, also when it is read twice`() async throws {
    var results: [Int: String] = [:]
    let records = try tale()
    for batch in [1, 2, 3, 5, 8, records.count] {
      try await withDatabase { _, postgres in
        try await store(records, batch: batch, postgres)
        results[batch] = try await postgres.query(Self.all)
        let outcomes = try await postgres.query(
          "SELECT string_agg(format('%s=%s@%s', session_id, outcome, extract(epoch FROM ended_at - '2026-02-14T12:00:00Z')::int), ' ' ORDER BY session_id) FROM cooking_sessions"
        )
        #expect(
          outcomes
            == "done=complete@400 failed=error@210 gone=abandoned@100 late=abandoned@200 open=@ overtaken=complete@290 stopped=stopped@112",
          "\(batch) a batch")
        // The log is rolled back, and read from its beginning.
        let rolledBack = try await PostgresConnection.connect(postgres.configuration(.persister), logger: quiet)
        try await rolledBack.execute("UPDATE log_cursors SET known_ms = log_ms, known_seq = log_seq, log_ms = 0, log_seq = 0")
        try await store(records, batch: batch, postgres)
        #expect(try await postgres.query(Self.all) == results[batch])
      }
    }

    for (batch, result) in results { #expect(result == results[1], "\(batch) a batch") }
  }

  @Test func `History reads what was projected`() async throws {
    try await withDatabase { _, postgres in
      try await store(tale(), postgres)
      let history = HistoryStore(PostgresPool(try postgres.configuration(.api), logger: quiet))
      let done = try #require(try await history.session("done", of: cooker))
      #expect(done.outcome == .complete && done.recipeName == "Dal Tadka" && done.currentStage == 3 && done.currentStageName == "Rest")
      #expect(
        done.stages.map(\.name) == ["Fry\u{FFFD}", "Rest"] && done.stages.map(\.endedAt) == [noon + .seconds(330), noon + .seconds(400)])
      // Nobody told when the second stage began, but how long it was.
      #expect(done.stages[0].startedAt == noon + .seconds(310))
      let failed = try #require(try await history.session("failed", of: cooker))
      let failure = try JSONObject(parsing: try #require(failed.lastError))
      #expect(failure.string("code") == "POT_REMOVED" && failure.string("severity") == "warning" && failed.outcome == .error)
      let command = try #require(try await history.command("c1", of: cooker))
      #expect(command.state == .acknowledged && command.sentAt == noon + .seconds(111) && command.settledAt == noon + .seconds(112))
      #expect(command.data == Array(#"{"a":1.50}"#.utf8) && command.expiresAt == noon + .seconds(120))
      #expect(try await history.command("c2", of: cooker)?.state == .acknowledged)
      #expect(try await history.events(of: cooker).items.count == tale().count)
    }
  }

  @Test func `A minute adds up over batches, and the newest reading is its last`() async throws {
    let values: [(second: Int, value: String)] = [
      (0, "1"), (59, "5"), (30, "-2"), (60, "7"), (119, "1.5"), (1, "1e308"), (2, "1.7e308"), (3, "5e-324"),
    ]
    for batch in [1, 3, 100] {
      try await withDatabase { _, postgres in
        var tale = try CookingTale()
        for (second, value) in values { try tale.tell("telemetry", at: second, "'t':\(value)") }
        try await store(tale.records, batch: batch, postgres)
        #expect(try await postgres.number(eventCount) == values.count)
        let minutes = try await postgres.query("SELECT minute, count, sum, min, max, last FROM readings_by_minute ORDER BY minute")
        #expect(minutes.contains("2026-02-14 12:01:00+00|2|8.5|1.5|7|1.5"))
        #expect(minutes.contains("|-2|1.7e+308|5") && minutes.contains("2026-02-14 12:00:00+00|6|"), "\(minutes)")
        let history = HistoryStore(PostgresPool(try postgres.configuration(.api), logger: quiet))
        let window = HistoryWindow(from: noon, to: noon + .seconds(3600))
        for seconds in [1, 60, 3600] {
          let buckets = try await history.buckets(of: cooker, metric: "t", in: window, seconds: seconds, limit: 100)
          #expect(buckets.reduce(0) { $0 + $1.count } == values.count && buckets.allSatisfy { $0.average.isFinite })
        }
      }
    }
  }

  @Test func `A record that PostgreSQL refuses takes no row of others with it`() async throws {
    try await withDatabase { _, postgres in
      _ = try await postgres.query("ALTER TABLE events ADD CONSTRAINT no_poison CHECK (data::text NOT LIKE '%poison%')")
      var tale = try CookingTale()
      try tale.start("a", at: 0)
      try tale.start("poison", at: 5)
      try tale.progress("a", at: 10, stage: 2, "Fry")
      try tale.complete("a", at: 20)
      try await store(tale.records, postgres)
      #expect(try await postgres.query("SELECT session_id, outcome, current_stage FROM cooking_sessions") == "a|complete|2")
      #expect(try await postgres.number("SELECT count(*) FROM dead_letters") == 1)
      #expect(try await postgres.number("SELECT sum(count) FROM readings_by_minute WHERE metric = 'temperature'") == 1)
    }
  }
}
