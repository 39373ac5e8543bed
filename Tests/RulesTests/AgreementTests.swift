import EventLog
import LocalStack
import Models
import PostgresClient
import RuleEvaluation
import Testing

@testable import Martletctl
@testable import Rules
@testable import Store

/// What fired live, and what a back-test says of the same history.
@Suite(.timeLimit(.minutes(5))) struct AgreementTests {
  private static let rules = [
    #"{"id":"hot","when":{"metric":"t","operator":">","value":80,"clear":60}}"#,
    #"{"id":"warm","when":{"metric":"t","operator":">=","value":55},"for_seconds":90,"cooldown_seconds":600}"#,
    #"{"id":"range","when":{"metric":"*.humidity","operator":"outside","low":10,"high":90},"hours":{"from":"22:00","until":"04:30"}}"#,
    #"{"id":"jump","when":{"metric":"t","operator":">","value":40,"rate_per_seconds":60,"over_seconds":120}}"#,
    #"{"id":"mute","when":{"no_data_seconds":300}}"#, #"{"id":"dry","when":{"metric":"room.humidity","no_data_seconds":240}}"#,
    #"{"id":"fault","appliances":["A-*"],"when":{"event":"fault","where":[{"field":"code","operator":"!=","value":"E0"}],"until":{"event":"well"}},"cooldown_seconds":30}"#,
  ]

  @Test func `A day with late, repeated and reordered samples fires live what a back-test says, to the last one`() async throws {
    let clock = HandClock()
    let log = MemoryEventLog { clock.now }
    let begin = clock.now
    try await RulesBench.run(Self.rules, replicas: 2, log: log) { bench in
      var day = SimulatedDay()
      for minute in 0..<1440 {
        for entry in try day.minute() {
          clock.move(by: entry.pause)
          let event = Event(type: entry.type, applianceID: entry.applianceID, timestamp: clock.now + entry.skew, data: entry.data)
          _ = try await log.append([LogEntry(.event(event), order: event.timestamp)])
        }
        // Now and then nothing is left to read, so that what is due happens by the clock alone.
        if minute % 60 == 0 { try await caughtUp(bench) }
      }
      clock.move(by: .seconds(3600))
      #expect(clock.now - begin > .seconds(86_400))
      try await caughtUp(bench)
      try await store(log, bench)
      try await compare(bench, until: clock.now)
    }
  }

  private func compare(_ bench: RulesBench, until end: Timestamp) async throws {
    let pool = PostgresPool(try bench.postgres.configuration(.owner), limits: .init(connectionsMax: 1), logger: quiet)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.run() }
      for text in Self.rules {
        let rule = try Rule(parsing: Array(text.utf8))
        let window = HistoryWindow(to: end + .microseconds(1))
        let outcome = try await BacktestRun(rule: rule, window: window, history: HistoryStore(pool)).outcome()
        let expected = outcome.firings.map(Self.line).sorted()
        let alarms = outcome.alarms.map { "\($0.applianceID) \($0.raisedAt) \($0.clearedAt.map { "\($0)" } ?? "-") \($0.raisedCount)" }
          .sorted()
        #expect(expected.count > 10, "\(rule.id) fired \(expected.count) times")
        // What is due by the clock may still be on its way.
        try await eventually("\(rule.id) fired \(expected.count) times") { try await firings(of: rule.id, bench).count >= expected.count }
        #expect(try await firings(of: rule.id, bench) == expected, "\(rule.id)")
        #expect(try await self.alarms(of: rule.id, bench) == alarms, "\(rule.id)")
      }
      group.cancelAll()
    }
  }

  private static func line(_ firing: Firing) -> String {
    "\(firing.applianceID) \(firing.metric) \(firing.value.map { "\($0)" } ?? "-") \(firing.at)"
  }

  private func firings(of rule: String, _ bench: RulesBench) async throws -> [String] {
    try await bench.owner.query("SELECT appliance_id, metric, value, fired_at FROM rule_firings WHERE rule_id = $1", [.text(rule)])
      .decode(String.self, String.self, Double?.self, PostgresTimestamp.self)
      .map { Self.line(Firing(ruleID: rule, applianceID: try ApplianceID($0.0), metric: $0.1, value: $0.2, at: Timestamp($0.3))) }.sorted()
  }

  private func alarms(of rule: String, _ bench: RulesBench) async throws -> [String] {
    try await bench.owner.query(
      "SELECT appliance_id, raised_at, cleared_at, raised_count FROM alarms WHERE source = $1", [.text("rule:\(rule)")]
    ).decode(String.self, PostgresTimestamp.self, PostgresTimestamp?.self, Int64.self)
      .map { "\($0.0) \(Timestamp($0.1)) \($0.2.map { "\(Timestamp($0))" } ?? "-") \($0.3)" }.sorted()
  }

  /// Waits until all that the log holds has taken effect.
  private func caughtUp(_ bench: RulesBench) async throws {
    for shard in 0..<Bus.shardCount {
      let last = try await bench.log.read(shard: shard, after: .zero, limit: 1, wait: .zero).lastID
      try await eventually("shard \(shard) is read through \(last)") {
        try await bench.owner.query(
          "SELECT log_ms, log_seq FROM log_cursors WHERE consumer = 'rules' AND shard = $1", [.int2(Int16(shard))]
        )
        .decode(Int64.self, Int64.self).first.map { EventID(column: $0.0, $0.1) >= last } ?? false
      }
    }
  }

  /// Puts the log into PostgreSQL as the persister does.
  private func store(_ log: MemoryEventLog, _ bench: RulesBench) async throws {
    for shard in 0..<Bus.shardCount {
      let records = try await log.read(shard: shard, after: .zero, limit: 1_000_000, wait: .zero).records
      try await bench.owner.transaction { session in
        var rows = EventRows()
        for record in records {
          guard case .event(let event) = record.content else { continue }
          rows.append(event, id: record.id, shard: shard, late: record.isLate)
        }
        try session.execute("SELECT make_event_partitions('2026-02-14', '2026-02-16')")
        try rows.write(in: session)
      }
    }
  }
}

/// What eight appliances say in a day, minute by minute: the same each time.
private struct SimulatedDay {
  struct Entry {
    /// Until it comes, after the one before.
    let pause: Duration
    /// Of the device's clock.
    let skew: Duration
    let type: EventType
    let applianceID: ApplianceID
    let data: [UInt8]
  }

  private var state: UInt64 = 20_260_214
  private var before: [Entry] = []

  /// SplitMix64.
  private mutating func random(_ bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
  }

  /// About six entries; together they take a minute.
  mutating func minute() throws -> [Entry] {
    var entries: [Entry] = []
    for _ in 0..<6 {
      let pause = Duration.milliseconds(random(10) == 0 ? 0 : random(19_000))
      let id = try ApplianceID("A-\(random(8))")
      switch random(20) {
      case 0: entries.append(Entry(pause: pause, skew: .zero, type: try EventType("fault"), applianceID: id, data: fault()))
      case 1: entries.append(Entry(pause: pause, skew: .zero, type: try EventType("well"), applianceID: id, data: Array("{}".utf8)))
      // Late, or of a clock that is ahead.
      case 2, 3: entries.append(try sample(id, pause, skew: .seconds(random(400) - 300)))
      // Said twice, word for word and with the same time.
      case 4:
        if let last = before.last {
          entries.append(Entry(pause: .zero, skew: last.skew, type: last.type, applianceID: last.applianceID, data: last.data))
        }
      default: entries.append(try sample(id, pause, skew: .zero))
      }
      before = entries
    }
    let rest = Duration.seconds(60) - entries.reduce(.zero) { $0 + $1.pause }
    return entries + [try sample(try ApplianceID("A-0"), max(.zero, rest), skew: .zero)]
  }

  private mutating func fault() -> [UInt8] { Array(#"{"code":"E\#(random(3))","n":\#(random(1000))}"#.utf8) }

  private mutating func sample(_ id: ApplianceID, _ pause: Duration, skew: Duration) throws -> Entry {
    let value = random(50) == 0 ? "1e308" : "\(Double(random(10_000)) / 100)"
    let text = #"{"t":\#(value),"room":{"humidity":\#(random(110))},"word":"NaN"}"#
    return Entry(pause: pause, skew: skew, type: try EventType("telemetry"), applianceID: id, data: Array(text.utf8))
  }
}
