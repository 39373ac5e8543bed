import Foundation
import Models
import Testing

private let fixture = GoldenFixture("oht50")

@Suite struct `What robots say` {
  private static let receivedAt = Timestamp(microseconds: 1_800_000_000_000_000)

  private func event(_ name: String) throws -> Event {
    try Event(fromDevice: JSONObject(parsing: fixture.text(name)), of: ApplianceID("OHT-1"), receivedAt: Self.receivedAt)
  }

  @Test(arguments: OHT50EventType.allCases)
  func `Every event of the document is understood and leaves as it came, with its robot's name`(type: OHT50EventType) throws {
    let event = try event(type.rawValue)
    #expect(OHT50EventType(event.type) == type)
    try type.shape.check(JSONObject(parsing: event.data))
    var meaning = try GoldenFixture.meaning(fixture.text(type.rawValue))
    meaning["appliance_id"] = "OHT-1" as NSString
    #expect(try GoldenFixture.meaning(event.encoded()) == meaning)
  }

  @Test(arguments: OHT50EventType.allCases)
  func `Every event of the document has a topic that leads back to it`(type: OHT50EventType) throws {
    let robot = try ApplianceID("OHT-1")
    let topic = try #require(OHT50Topic(OHT50Topic.topic(of: type.eventType, robot: robot)))
    #expect(topic.robotID == robot && topic.kind == .event(type.eventType))
  }

  @Test func `Commands and their acknowledgements have topics of their own, and a robot's own events pass within the families`() throws {
    #expect(OHT50Topic("oht50/R/command/ack")?.kind == .commandAcknowledgement)
    #expect(OHT50Topic("oht50/R/command/emergency_stop")?.kind == .command)
    #expect(OHT50Topic("oht50/R/mission.paused")?.kind == .event(try EventType("mission.paused")))
    for topic in [
      "oht50/R", "oht50/R/", "oht50/R/command", "oht50/R/mission", "oht50/R/mission.", "oht50/R/alarm:raised", "oht50//system.status",
    ] {
      #expect(OHT50Topic(topic) == nil, "\(topic)")
    }
  }

  @Test func `Numbers inside an event are readings under their paths`() throws {
    let values = try Dictionary(uniqueKeysWithValues: event("telemetry.realtime").readings().map { ($0.metric, $0.value) })
    #expect(values["position.x"] == 1250.5 && values["sensors.battery"] == 85.2 && values.count == 13)
  }

  @Test(arguments: [
    (OHT50EventType.systemStatus, "{}", ModelError.missing("data.status")),
    (.systemStatus, #"{"status":"idle","health":{"cpu":"hot"}}"#, .wrongType(path: "data.health.cpu", wanted: "a number")),
    (
      .systemError, #"{"error_code":"SYS-001","severity":"P0","affected_services":["a",1]}"#,
      .wrongType(path: "data.affected_services", wanted: "an array of strings")
    ),
    (.telemetryRealtime, #"{"position":{"x":1}}"#, .missing("data.position.y")),
    (.telemetryRealtime, #"{"position":[1,2]}"#, .wrongType(path: "data.position", wanted: "an object")),
    (.telemetryStatus, #"{"streaming":1,"rate":1}"#, .wrongType(path: "data.streaming", wanted: "true or false")),
    (.missionStarted, #"{"mission_id":"m"}"#, .missing("data.mission_type")),
    (.missionProgress, #"{"mission_id":"m","progress":"half"}"#, .wrongType(path: "data.progress", wanted: "a number")),
    (.missionCompleted, #"{"mission_id":"m"}"#, .missing("data.status")),
    (
      .configUpdated, #"{"config_id":"c","version":"1","changes":[],"status":"applied"}"#,
      .wrongType(path: "data.changes", wanted: "an object")
    ),
    (.configRollback, #"{"from_version":"1"}"#, .missing("data.to_version")),
    (.moduleDiscovered, #"{"module_id":7}"#, .wrongType(path: "data.module_id", wanted: "a string")),
    (.moduleStatusChange, #"{"module_id":"m"}"#, .missing("data.new_status")),
  ])
  func `What an event lacks is named by its path`(type: OHT50EventType, data: String, error: ModelError) {
    #expect(throws: error) { try type.shape.check(JSONObject(parsing: Array(data.utf8))) }
  }

  @Test func `A robot may lack a sensor, and no safety event is refused for what it lacks`() throws {
    try OHT50EventType.telemetryRealtime.shape.check(
      JSONObject(parsing: Array(#"{"position":{"x":1,"y":2},"sensors":{"humidity":null}}"#.utf8)))
    for type in OHT50EventType.allCases where type.eventType.isSafety { try type.shape.check(JSONObject(parsing: Array("{}".utf8))) }
  }

  @Test func `Each type has its class and the limit of the document's table`() throws {
    let telemetry = OHT50EventType.allCases.filter { $0.eventType.isTelemetry }
    #expect(Set(telemetry) == [.systemStatus, .telemetryRealtime, .telemetryStatus, .missionProgress])
    #expect(
      OHT50EventType.allCases.filter { $0.eventType.isSafety }.map(\.rawValue) == ["safety.zone_entered", "safety.estop", "safety.clear"])
    let limits: [(String, Duration?)] = [
      ("telemetry.realtime", .milliseconds(100)), ("system.status", .seconds(1)), ("mission.progress", .milliseconds(200)),
      ("mission.paused", .milliseconds(200)), ("safety.estop", .seconds(1)), ("config.updated", .seconds(10)), ("system.error", nil),
      ("telemetry.status", nil), ("module.discovered", nil), ("cooking:progress", nil),
    ]
    for (type, interval) in limits { #expect(OHT50RateLimit.interval(of: try EventType(type)) == interval, "\(type)") }
  }
}

@Suite struct `What consoles say` {
  private func message(_ text: String) throws -> OHT50ClientMessage { try OHT50ClientMessage(parsing: Array(text.utf8)) }
  private func golden(_ name: String) throws -> OHT50ClientMessage { try OHT50ClientMessage(parsing: fixture.text(name)) }

  @Test func `Every message of the document that a client sends is understood`() throws {
    #expect(try golden("auth") == .auth(token: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."))
    guard case .subscribe(let subscription) = try golden("subscribe") else {
      Issue.record("no subscription")
      return
    }
    #expect(subscription.patterns.map(\.description) == ["telemetry.realtime", "system.status", "mission.*"])
    #expect(subscription.rate_hz == 10 && subscription.applianceID == nil && subscription.since == nil)
    #expect(try golden("unsubscribe") == .unsubscribe([OHT50Pattern("telemetry.realtime")], nil))
    #expect(try golden("set_telemetry_rate") == .setTelemetryRate(5))
    #expect(try golden("get_system_status") == .getSystemStatus(nil, requestID: "req-123"))
    #expect(try golden("emergency_stop") == .emergencyStop(nil, reason: "manual_trigger", requestID: "req-124"))
  }

  @Test func `A subscription may name a robot and the last event that was seen`() throws {
    guard case .subscribe(let subscription) = try message(#"{"type":"subscribe","events":["*"],"appliance_id":"OHT-1","since":"5-1"}"#)
    else {
      Issue.record("no subscription")
      return
    }
    #expect(subscription.applianceID?.rawValue == "OHT-1" && subscription.since == EventID("5-1") && subscription.rate_hz == nil)
  }

  @Test(arguments: [
    (#"{"type":"emergency_stop"}"#, nil as String?), (#"{"type":"emergency_stop","appliance_id":7,"request_id":[],"reason":{}}"#, nil),
    (#"{"type":"emergency_stop","appliance_id":"OHT-1"}"#, "OHT-1"), (#"{"type":"emergency_stop","appliance_id":"a b"}"#, nil),
  ])
  func `A stop is never refused for what is beside it`(text: String, robot: String?) throws {
    #expect(try message(text) == .emergencyStop(robot.map { try ApplianceID($0) }, reason: nil, requestID: nil))
  }

  @Test(arguments: ["0", "-1", "1e9", "0.001", "\"10\"", "null", "true", "1e999"])
  func `A rate that nobody can keep is refused`(rate: String) {
    for text in [#"{"type":"set_telemetry_rate","rate":\#(rate)}"#, #"{"type":"subscribe","events":["*"],"rate":\#(rate)}"#] {
      let refusal = #expect(throws: OHT50Refusal.self) { try message(text) }
      #expect(refusal?.code == .rateLimitExceeded)
    }
  }

  @Test func `What is no message is refused with the document's codes`() throws {
    let patterns = (0..<10_000).map { _ in "\"*\"" }.joined(separator: ",")
    let refused: [(String, OHT50Refusal.Code, String)] = [
      ("{nonsense", .invalidEventType, "The message is not valid: malformed JSON at byte 1"),
      (#"{"type":"set_telemetry_rate","rate":NaN}"#, .invalidEventType, "The message is not valid: malformed JSON at byte 36"),
      ("{}", .invalidEventType, "'type' is missing or no string"), (#"{"type":"dance"}"#, .invalidEventType, "Unknown event type: dance"),
      (#"{"type":"auth"}"#, .authenticationFailed, "Invalid or expired token"),
      (#"{"type":"subscribe"}"#, .invalidEventType, "'events' must be an array of event types"),
      (#"{"type":"subscribe","events":[1]}"#, .invalidEventType, "'events' must be an array of event types"),
      (#"{"type":"subscribe","events":[]}"#, .invalidEventType, "'events' must name 1 to 64 event types; it has 0"),
      (#"{"type":"subscribe","events":[\#(patterns)]}"#, .invalidEventType, "'events' must name 1 to 64 event types; it has 10000"),
      (#"{"type":"subscribe","events":["invalid.event"]}"#, .invalidEventType, "Unknown event type: invalid.event"),
      (#"{"type":"subscribe","events":["*"],"since":7}"#, .invalidEventType, "'since' must be the 'id' of an event"),
      (#"{"type":"get_system_status","appliance_id":7}"#, .invalidEventType, "'appliance_id' must be the id of a robot"),
      (#"{"type":"get_system_status","request_id":7}"#, .invalidEventType, "'request_id' must be a string of at most 128 bytes"),
    ]
    for (text, code, description) in refused {
      let refusal = #expect(throws: OHT50Refusal.self, "\(text.prefix(80))") { try message(text) }
      #expect(refusal?.code == code && refusal?.description == description, "\(text.prefix(80)): \(refusal?.description ?? "")")
    }
  }
}

@Suite struct `The subscription in the address` {
  private func patterns(_ values: [String]) throws -> [String]? {
    try OHT50Subscription(queryValues: values, applianceID: nil)?.patterns.map(\.description)
  }

  @Test(arguments: [
    ["mission.*", "safety.*"], ["mission.*,safety.*"], [#"["mission.*","safety.*"]"#], ["mission.*", #"["safety.*"]"#],
    ["mission.*", "", "safety.*"],
  ])
  func `It may be repeated, parted by commas or a JSON array`(values: [String]) throws {
    #expect(try patterns(values) == ["mission.*", "safety.*"])
  }

  @Test func `There may be none, and what matches nothing is refused`() throws {
    #expect(try patterns([]) == nil && patterns([""]) == nil)
    let many = Array(repeating: "*", count: OHT50Pattern.countMax + 1)
    for values in [["**"], ["mission.*,"], ["[nonsense"], ["[1]"], [#"["*"],"x":[]"#], many, [many.joined(separator: ",")]] {
      #expect(throws: OHT50Refusal.self, "\(values)") { try patterns(values) }
    }
  }
}

@Suite struct `Patterns of event types` {
  @Test(arguments: [
    ("mission.*", 3), ("*", 14), ("*.*", 14), ("*.status", 2), ("system.status", 1), ("safety.*", 3), ("telemetry.*", 2),
  ])
  func `Patterns match whole segments`(text: String, count: Int) throws {
    let pattern = try OHT50Pattern(text)
    #expect(OHT50EventType.allCases.filter { pattern.matches($0.eventType) }.count == count)
    #expect(pattern.description == text)
  }

  @Test func `A pattern takes a robot's own events, a name only itself`() throws {
    #expect(try OHT50Pattern("mission.*").matches(EventType("mission.paused.again")))
    #expect(try !OHT50Pattern("mission.*").matches(EventType("missions.started")))
    #expect(try !OHT50Pattern("mission.*").matches(EventType("mission")))
    #expect(try !OHT50Pattern("mission.started").matches(EventType("mission.started.again")))
    #expect(try !OHT50Pattern("*.status").matches(EventType("system.status.extra")))
  }

  @Test(arguments: [
    "", ".", "**", "mission.", ".started", "mission.s*", "mission", "mission.paused", "invalid.event", "missions.*", "*.*.*", "mission.**",
    "safety.estop ", String(repeating: "*.", count: 40) + "*",
  ])
  func `What can match nothing is refused by name`(text: String) {
    #expect(throws: OHT50Refusal.unknownEventType(text)) { try OHT50Pattern(text) }
  }
}

@Suite struct `What consoles are told` {
  private func text(_ message: OHT50ServerMessage, at now: Timestamp) -> String {
    String(decoding: message.encoded(at: now), as: UTF8.self)
  }

  @Test(arguments: [
    ("error.WS-001", OHT50Refusal.authenticationFailed), ("error.WS-002", .unknownEventType("invalid.event")),
    ("error.WS-003", .tooManyEvents),
  ])
  func `Errors are the document's`(name: String, refusal: OHT50Refusal) throws {
    let moment = try #require(Timestamp(iso8601: "2024-12-19T10:30:00Z"))
    #expect(try GoldenFixture.meaning(OHT50ServerMessage.error(refusal).encoded(at: moment)) == GoldenFixture.meaning(fixture.text(name)))
  }

  @Test func `The state of telemetry and of the system are the document's`() throws {
    let (moment, update) = (
      try #require(Timestamp(iso8601: "2024-12-19T10:30:00Z")), try #require(Timestamp(iso8601: "2024-12-19T10:29:59Z"))
    )
    let status = OHT50TelemetryStatus(isStreaming: true, rate_hz: 10, connectedClients: 3, lastUpdate: update)
    #expect(
      try GoldenFixture.meaning(OHT50ServerMessage.telemetryStatus(status, nil).encoded(at: moment))
        == GoldenFixture.meaning(fixture.text("telemetry.status")))
    let event = try Event(fromDevice: JSONObject(parsing: fixture.text("system.status")), of: ApplianceID("OHT-1"), receivedAt: moment)
    var meaning = try GoldenFixture.meaning(fixture.text("system.status"))
    meaning["appliance_id"] = "OHT-1" as NSString
    meaning["request_id"] = "req-123" as NSString
    #expect(try GoldenFixture.meaning(OHT50ServerMessage.systemStatus(event, requestID: "req-123").encoded(at: moment)) == meaning)
  }

  @Test func `What becomes of a command is told under the name of the request`() throws {
    let moment = try #require(Timestamp(iso8601: "2026-02-14T12:30:00Z"))
    let (first, second) = (try ApplianceID("OHT-1"), try ApplianceID("OHT-2"))
    let begin = #"{"type":"command_ack","timestamp":"2026-02-14T12:30:00Z","request_id":"r","#
    let one = #""command_id":"c-1","appliance_id":"OHT-1","command":"emergency_stop","#
    let listed = #""commands":[{"appliance_id":"OHT-1","command_id":"c-1"}"#
    let ack = OHT50CommandAck(.requested, .emergencyStop, requestID: "r", targets: [.init(first, "c-1")])
    #expect(text(.commandAck(ack), at: moment) == begin + one + #""status":"requested","# + listed + "]}")
    let both = OHT50CommandAck(.requested, .emergencyStop, requestID: "r", targets: [.init(first, "c-1"), .init(second, "c-2")])
    #expect(
      text(.commandAck(both), at: moment) == begin + #""command":"emergency_stop","status":"requested","# + listed
        + #",{"appliance_id":"OHT-2","command_id":"c-2"}]}"#)
    let failure = CommandFailure(commandID: "c-1", type: .emergencyStop, code: .rejected, message: "No")
    let failed = try #require(OHT50CommandAck(failure.event(of: first, at: moment), requestID: "r"))
    #expect(text(.commandAck(failed), at: moment) == begin + one + #""status":"failed","code":"REJECTED","message":"No"}"#)
    #expect(OHT50CommandAck(Event(type: .commandRequested, applianceID: first, timestamp: moment), requestID: nil) == nil)
  }

  @Test func `Subscriptions, tokens and pings are answered`() throws {
    let moment = try #require(Timestamp(iso8601: "2026-02-14T12:30:00Z"))
    guard
      case .subscribe(let subscription) = try OHT50ClientMessage(
        parsing: Array(#"{"type":"subscribe","events":["mission.*","system.status"],"rate":0.5,"appliance_id":"OHT-1"}"#.utf8))
    else {
      Issue.record("no subscription")
      return
    }
    let subscribed =
      #"{"type":"subscribed","timestamp":"2026-02-14T12:30:00Z","events":["mission.*","system.status"],"appliance_id":"OHT-1","rate":0.5"#
    #expect(text(.subscribed(subscription, recovered: nil), at: moment) == subscribed + "}")
    #expect(text(.subscribed(subscription, recovered: false), at: moment) == subscribed + #","recovered":false}"#)
    #expect(
      text(.unsubscribed(subscription.patterns, nil), at: moment)
        == #"{"type":"unsubscribed","timestamp":"2026-02-14T12:30:00Z","events":["mission.*","system.status"]}"#)
    #expect(
      text(.authenticated(expiresAt: moment, clientID: nil), at: moment)
        == #"{"type":"authenticated","timestamp":"2026-02-14T12:30:00Z","expires_at":"2026-02-14T12:30:00Z"}"#)
    #expect(
      text(.tokenExpiring(expiresAt: moment), at: moment)
        == #"{"type":"token.expiring","timestamp":"2026-02-14T12:30:00Z","expires_at":"2026-02-14T12:30:00Z"}"#)
    #expect(text(.pong, at: moment) == #"{"type":"pong"}"#)
  }
}
