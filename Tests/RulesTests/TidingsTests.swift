import EventLog
import Models
import PostgresClient
import Testing

@testable import Rules
@testable import Store

@Suite struct TidingsTests {
  private let start = Timestamp(microseconds: 1_771_070_400_000_000)
  private let everything = WebhookInterest([([], nil)])

  /// The messages of events of `A-1`, each so many milliseconds after the start, as type and the number in their body.
  private func told(
    _ events: [(at_ms: Int, type: String, data: String)], _ memory: WebhookMemory = WebhookMemory(), _ interest: WebhookInterest? = nil
  ) throws -> (messages: [String], memory: WebhookMemory) {
    var tidings = Tidings(memory, interest ?? everything)
    for (number, event) in events.enumerated() {
      let at = start + .milliseconds(event.at_ms)
      let id = EventID(milliseconds: UInt64(at.microseconds / 1000), sequence: UInt64(number))
      let content = Event(
        type: try EventType(event.type), applianceID: try ApplianceID("A-1"), timestamp: at, data: Array(event.data.utf8))
      tidings.take(content, LogRecord(id: id, content: .event(content), isLate: false), at: at)
    }
    return (tidings.rows.bodies, tidings.changes)
  }

  private func body(_ type: String, _ at: String, _ data: String) -> String {
    #"{"type":"\#(type)","timestamp":"2026-02-14T12:00:\#(at)Z","data":{"appliance_id":"A-1"\#(data)}}"#
  }

  @Test func `A sensor is told of at most once in five seconds, and what was told before counts`() throws {
    let events = [0, 1, 4999, 5000, 9999, 10_001].map { (at_ms: $0, type: "telemetry", data: #"{"t":\#($0)}"#) }
    let first = try told(Array(events.prefix(3)))
    #expect(first.messages == [body("sensor_reading", "00", #","metric":"t","value":0.0"#)])
    let second = try told(Array(events.suffix(3)), first.memory)
    #expect(
      second.messages == [
        body("sensor_reading", "05", #","metric":"t","value":5000.0"#), body("sensor_reading", "10.001", #","metric":"t","value":10001.0"#),
      ])
  }

  @Test func `Each sensor has its own five seconds`() throws {
    let messages = try told([(0, "telemetry", #"{"a":1,"b":2}"#), (10, "telemetry", #"{"b":3,"c":4}"#)]).messages
    #expect(messages.count == 3 && messages[2].contains(#""metric":"c""#))
  }

  @Test func `An appliance's coming and going is told when it changes`() throws {
    let statuses = ["online", "online", "cooking", "offline", "offline", "online"].enumerated().map { number, status in
      (at_ms: number * 1000, type: "appliance:status", data: #"{"status":"\#(status)"}"#)
    }
    let (messages, memory) = try told(statuses)
    #expect(
      messages == [
        body("appliance.online", "00", #","status":"online""#), body("appliance.offline", "03", #","status":"offline""#),
        body("appliance.online", "05", #","status":"online""#),
      ])
    #expect(try told([(9000, "appliance:status", #"{"status":"cooking"}"#)], memory).messages.isEmpty)
    // Also when nobody wants to know.
    #expect(try told(statuses, WebhookMemory(), WebhookInterest.none).memory.isOnline == memory.isOnline)
  }

  @Test func `What happens to alarms, commands and sessions is told as it is in the log`() throws {
    let messages = try told([
      (0, "alarm:raised", #"{"alarm_id":7,"name":"Hot"}"#), (1000, "alarm:updated", #"{"alarm_id":7}"#),
      (2000, "alarm:acknowledged", #"{"alarm_id":7}"#), (3000, "alarm:cleared", #"{"alarm_id":7}"#),
      (4000, "command:requested", #"{"command_id":"c"}"#), (5000, "command:failed", #"{"command_id":"c","code":"COMMAND_TIMEOUT"}"#),
      (6000, "cooking:complete", #"{"session_id":"s","appliance_id":"B-2","total_duration_s":9}"#),
      (7000, "rule:triggered", #"{"value":1}"#),
    ]).messages
    #expect(
      messages == [
        body("alarm.raised", "00", #","alarm_id":7,"name":"Hot""#), body("alarm.acknowledged", "02", #","alarm_id":7"#),
        body("alarm.cleared", "03", #","alarm_id":7"#), body("command.failed", "05", #","command_id":"c","code":"COMMAND_TIMEOUT""#),
        body("session.completed", "06", #","session_id":"s","total_duration_s":9"#),
      ])
  }

  @Test func `What nobody wants costs no message`() throws {
    let other = WebhookInterest([([.alarmRaised], nil), ([.sensorReading], [try ApplianceID("B-2")]), ([], [])])
    let events = [(0, "telemetry", #"{"t":1}"#), (0, "alarm:raised", #"{"alarm_id":1}"#), (0, "alarm:cleared", #"{"alarm_id":1}"#)]
    let (messages, memory) = try told(events.map { (at_ms: $0.0, type: $0.1, data: $0.2) }, WebhookMemory(), other)
    #expect(messages == [body("alarm.raised", "00", #","alarm_id":1"#)])
    #expect(memory.toldAt.isEmpty)
  }

  @Test func `Sensors that were told of long ago are forgotten once there are many`() throws {
    var memory = WebhookMemory()
    for number in 0..<10_000 {
      var changes = WebhookMemory()
      changes.toldAt[WebhookSensor(try ApplianceID("A-1"), "m\(number)")] = start + .milliseconds(number * 10)
      memory.add(changes, forgettingBefore: start + .milliseconds(number * 10) + .seconds(-5))
    }
    #expect(memory.toldAt.count <= 4097)
    #expect(memory.toldAt[WebhookSensor(try ApplianceID("A-1"), "m9999")] != nil)
  }
}

@Suite(.timeLimit(.minutes(3))) struct WebhookEngineTests {
  /// A webhook of everything, of which the replicas have heard.
  private func addWebhook(_ bench: RulesBench) async throws {
    try await bench.owner.run { session in
      try session.execute(
        """
        INSERT INTO webhooks (owner_id, name, url, event_types, appliance_ids, in_flight_max)
        VALUES ('alice', 'a', 'https://a.example/', '{}', '{}', 8)
        """)
    }
    try await eventually("interest") {
      try await bench.happen("appliance:status", #"{"status":"offline"}"#)
      try await bench.happen("appliance:status", #"{"status":"online"}"#)
      return try await bench.value("SELECT count(*) > 0 FROM webhook_messages WHERE type = 'appliance.online'") == "t"
    }
  }

  @Test func `Sessions that are killed at any moment cost no message and double none`() async throws {
    let rule = #"{"id":"beep","when":{"event":"beep"},"actions":{"webhook":true}}"#
    try await RulesBench.run([rule], cookers: ["A-1"], replicas: 2) { bench in
      try await addWebhook(bench)
      for round in 0..<15 {
        for number in 0..<10 { try await bench.happen("beep", #"{"n":\#(round * 10 + number)}"#) }
        _ = try await bench.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'martlet_rules'")
      }
      try await eventually("firings") { try await bench.value("SELECT count(*) FROM rule_firings") == "150" }
      #expect(try await bench.value("SELECT count(*) FROM webhook_messages WHERE type = 'rule.triggered'") == "150")
      #expect(try await bench.value("SELECT count(*) FROM webhook_deliveries") == bench.value("SELECT count(*) FROM webhook_messages"))
    }
  }

  @Test func `What rules and devices do becomes messages, once each, whoever reads the log`() async throws {
    let rule = #"{"id":"hot","when":{"metric":"t","operator":">","value":100}}"#
    try await RulesBench.run([rule], cookers: ["A-1"], replicas: 2) { bench in
      try await addWebhook(bench)
      for value in [50, 150, 160, 50, 150] { try await bench.happen("telemetry", #"{"t":\#(value)}"#) }
      let end = Timestamp.now()
      for _ in 0..<2 { try await bench.happen("cooking:complete", #"{"session_id":"s1"}"#, at: end) }
      try await eventually("all") { try await bench.value("SELECT count(*) FROM webhook_messages WHERE type = 'alarm.raised'") == "2" }
      try await eventually("session") {
        try await bench.value("SELECT count(*) FROM webhook_messages WHERE type = 'session.completed'") == "1"
      }
      #expect(
        try await bench.value(
          "SELECT string_agg(type || ' ' || n, ', ' ORDER BY type) FROM (SELECT type, count(*) AS n FROM webhook_messages WHERE type NOT LIKE 'appliance%' AND type <> 'sensor_reading' GROUP BY 1) AS t"
        )
          == "alarm.cleared 1, alarm.raised 2, rule.triggered 2, session.completed 1")
      #expect(try await bench.value("SELECT count(*) > 0 FROM webhook_messages WHERE type = 'sensor_reading'") == "t")
      #expect(try await bench.value("SELECT count(*) FROM webhook_deliveries") == bench.value("SELECT count(*) FROM webhook_messages"))
    }
  }
}
