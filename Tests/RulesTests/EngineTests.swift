import EventLog
import LocalStack
import Models
import NIOPosix
import PostgresClient
import RedisClient
import RuleEvaluation
import Store
import Testing

@testable import Rules

@Suite struct EngineTests {
  @Test func `A crossing raises one alarm, tells of it, and clears it`() async throws {
    try await RulesBench.run([#"{"id":"hot","severity":"critical","when":{"metric":"t","operator":">","value":80,"clear":70}}"#]) { bench in
      for value in [60, 90, 95, 75] { try await bench.happen("telemetry", #"{"t":\#(value)}"#) }
      try await bench.eventually("SELECT count(*) FROM rule_firings WHERE value = 90", is: "1")
      try await bench.eventually("SELECT raised_count FROM alarms WHERE source = 'rule:hot' AND cleared_at IS NULL", is: "1")
      try await bench.happen("telemetry", #"{"t":60}"#)
      try await bench.eventually("SELECT clear_reason FROM alarms", is: "recovered")
      try await bench.happen("telemetry", #"{"t":81}"#)
      try await bench.eventually("SELECT count(*), count(cleared_at) FROM alarms", is: "2|1")
      try await eventually("all is told") {
        try await bench.told() == ["rule:triggered", "alarm:raised", "alarm:cleared", "rule:triggered", "alarm:raised"]
      }
      #expect(try await bench.value("SELECT count(*) FROM rule_outbox") == "0")
    }
  }

  @Test func `A device's own alarms are raised and cleared by its code, one for each part`() async throws {
    try await RulesBench.run([]) { bench in
      func frame(_ code: String, _ active: Bool, part: String = "A-1") -> String {
        #"{"protocol":"reefnet.v1","module_id":"A-1","submodule_id":"\#(part)","type":"alarm","payload":{"severity":"\#(active ? "critical" : "info")","code":"\#(code)","message":"Relay stuck","active":\#(active)}}"#
      }
      try await bench.happen("reefnet:alarm", frame("safety.relay_stuck", true))
      try await bench.happen("reefnet:alarm", frame("safety.relay_stuck", true))
      try await bench.happen("reefnet:alarm", frame("safety.relay_stuck", true, part: "A-1.Second"))
      try await bench.happen("reefnet:alarm", frame("safety.relay_stuck", false))
      try await bench.happen("reefnet:alarm", #"{"payload":{"code":"x"}}"#)
      try await bench.eventually(
        "SELECT string_agg(concat_ws(' ', source, severity, name, raised_count, clear_reason), '; ' ORDER BY id) FROM alarms",
        is: "code:safety.relay_stuck critical Relay stuck 2 device; code:safety.relay_stuck@A-1.Second critical Relay stuck 1")
      try await eventually("the clearing is told") { try await bench.told().contains("alarm:cleared") }
    }
  }

  @Test func `An alarm that is raised several times in one batch was raised at the first`() async throws {
    try await RulesBench.run([], replicas: 0) { bench in
      let frame = #"{"protocol":"reefnet.v1","module_id":"A-1","type":"alarm","payload":{"code":"safety.relay_stuck","active":true}}"#
      let start = Timestamp(microseconds: 1_771_070_400_000_000)
      let event = Event(type: .reefnetAlarm, applianceID: try ApplianceID("A-1"), timestamp: start, data: Array(frame.utf8))
      let alarm = try #require(DeviceAlarm(event))
      let effects = (0..<3).map { Effect.device(alarm, at: start + .seconds($0)) }
      let rows = EffectRows(effects, RuleBook.Edition(try await bench.owner.run { session in try RuleRows.read(in: session) }))
      try await bench.owner.transaction { session in try rows.write(in: session) }
      #expect(try await bench.value("SELECT raised_count, extract(epoch FROM updated_at - raised_at)::int FROM alarms") == "3|2")
    }
  }

  @Test func `What falls due while nothing comes happens by the log's clock`() async throws {
    let clock = HandClock()
    let log = MemoryEventLog { clock.now }
    try await RulesBench.run([#"{"id":"mute","when":{"no_data_seconds":30}}"#], log: log) { bench in
      try await bench.happen("hello", "{}", at: clock.now)
      try await bench.eventually("SELECT count(*) FROM rule_states", is: "1")
      let due = clock.now + .seconds(30)
      clock.move(by: .seconds(300))
      try await bench.eventually("SELECT count(*) FROM rule_firings WHERE fired_at = '\(due)'", is: "1")
      try await bench.happen("hello", "{}", at: clock.now)
      try await bench.eventually("SELECT clear_reason FROM alarms", is: "recovered")
    }
  }

  @Test func `A changed rule is the one that counts from its commit on, at every replica`() async throws {
    try await RulesBench.run([#"{"id":"r","when":{"metric":"t","operator":">","value":80}}"#], replicas: 2) { bench in
      for number in 0..<20 { try await bench.happen("telemetry", #"{"t":90}"#, of: "A-\(number)") }
      try await bench.eventually("SELECT count(*) FROM alarms WHERE cleared_at IS NULL", is: "20")
      try await bench.save([#"{"id":"r","when":{"metric":"t","operator":">","value":85}}"#])
      // By the old rule, whose alarms are raised, nothing would fire now.
      for number in 0..<20 { try await bench.happen("telemetry", #"{"t":90}"#, of: "A-\(number)") }
      try await bench.eventually(
        "SELECT count(*) FILTER (WHERE clear_reason = 'rule_changed'), count(*) FILTER (WHERE cleared_at IS NULL) FROM alarms", is: "20|20")
      _ = try await bench.owner.transaction { session in try RuleRows.delete("r", in: session) }
      for number in 0..<20 { try await bench.happen("telemetry", #"{"t":1}"#, of: "A-\(number)") }
      try await bench.eventually("SELECT count(*) FROM alarms WHERE clear_reason = 'rule_changed'", is: "40")
      try await bench.eventually("SELECT count(*) FROM rule_states", is: "0")
    }
  }

  @Test func `A command that is too old is not sent, a stop is tried longer`() async throws {
    try await RulesBench.run([], cookers: ["A-1"]) { bench in
      let shard = Bus.shard(of: try ApplianceID("A-1"))
      for (type, age) in [("cooking:pause", 5), ("cooking:resume", 15), ("cooking:stop", 30)] {
        _ = try await bench.postgres.query(
          """
          INSERT INTO rule_outbox (shard, appliance_id, kind, type, data, sender, made_at)
          VALUES (\(shard), 'A-1', 'command', '\(type)', '{}', 'rule:r', now() - interval '\(age) s')
          """)
      }
      try await bench.eventually("SELECT count(*) FROM rule_outbox", is: "0")
      let open = try await bench.log.openCommands(of: try ApplianceID("A-1"))
      #expect(Set(open.map(\.type.rawValue)) == ["cooking:pause", "cooking:stop"])
    }
  }

  @Test func `On a real Redis, three replicas with the rights of the service do each thing once`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres, .redis])) { stack in
      let redis = try stack.redis
      func log(_ user: RedisServer.User) throws -> RedisEventLog {
        RedisEventLog(
          configuration: try RedisConfiguration(url: redis.url(user), password: redis.password(user)),
          eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet)
      }
      let (writing, reading) = (try log(.admin), try log(.rules))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await writing.run() }
        group.addTask { try await reading.run() }
        let rule =
          #"{"id":"hot","when":{"metric":"t","operator":">","value":80},"actions":{"alarm":true,"event":true,"command":{"type":"lamp:off"}}}"#
        try await RulesBench.run([rule], replicas: 3, log: writing, reading: reading, try stack.postgres) { bench in
          for number in 0..<40 { try await bench.happen("telemetry", #"{"t":90}"#, of: "A-\(number)") }
          try await bench.eventually("SELECT count(*) FROM alarms", is: "40")
          for number in 0..<40 {
            try await eventually("A-\(number) is told of") {
              try await bench.told("A-\(number)") == ["command:requested", "rule:triggered", "alarm:raised"]
            }
            #expect(try await writing.openCommands(of: try ApplianceID("A-\(number)")).count == 1)
          }
        }
        group.cancelAll()
      }
    }
  }
}
