import Foundation
import LocalStack
import Testing

/// The OHT-50 document's protocol over two replicas and a real broker, seen by consoles that are none of ours.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RobotTests {
  private static let robot = "OHT-1"
  private static let auth = #"{"type":"auth","token":"TOKEN"}"#
  private static let all = #"{"type":"subscribe","events":["*"]}"#

  private static func run(_ body: @Sendable (Backbone) async throws -> Void) async throws {
    try await Backbone.run(appliances: [robot], dialect: "oht50") { backbone in try await body(backbone) }
  }

  private static func endpoint(_ backbone: Backbone, _ number: Int) throws -> String { try backbone.gateway(number) + "/telemetry" }

  private static func publish(_ type: String, _ data: String, _ backbone: Backbone) async throws {
    let frame = #"{"type":"\#(type)","timestamp":"2026-02-14T12:30:00Z","data":\#(data)}"#
    try await backbone.stack.mosquitto.publish("-q", "1", "-t", "oht50/\(robot)/\(type)", "-s", input: frame)
  }

  private static func startRobot(_ backbone: Backbone, _ robot: String = Self.robot, rate: Int = 20) async throws {
    try await backbone.stack.keepMartletctl(
      "robot-\(robot)", ["simulate", "robot", robot, "--rate", "\(rate)", "--speed", "10", "--seed", "3"])
  }

  @Test func `Each example of the document goes from the broker to a console as it is`() async throws {
    try await Self.run { backbone in
      try await Subscriber.console(Self.endpoint(backbone, 1), token: backbone.token, [Self.auth, Self.all]) { console in
        for type in try Self.eventTypes() {
          let example = try Self.fixture("\(type).json")
          try await backbone.stack.mosquitto.publish("-q", "1", "-t", "oht50/\(Self.robot)/\(type)", "-s", input: example)
          let expected = try JSON(example)
          let event = try await console.event(type) { $0["timestamp"] == expected["timestamp"] }
          #expect(event.without("id").without("appliance_id") == expected)
          #expect(event["appliance_id"]?.string == Self.robot && event["id"]?.string != nil)
        }
      }
    }
  }

  @Test func `Each message of the document is taken from a console as it stands there`() async throws {
    try await Self.run { backbone in
      try await Self.publish("system.status", #"{"status":"idle","state":"ready"}"#, backbone)
      try await backbone.waitForRow("1", "SELECT count(*) FROM events WHERE type = 'system.status'")
      let auth = try Self.fixture("auth.json").replacing("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...", with: "TOKEN")
      let messages = try ["subscribe", "set_telemetry_rate", "get_system_status", "unsubscribe"].map { try Self.fixture("\($0).json") }
      try await Subscriber.console(Self.endpoint(backbone, 2), token: backbone.token, [auth] + messages) { console in
        let subscribed = try await console.event("subscribed")
        #expect(try subscribed["events"] == JSON(messages[0])["events"] && subscribed["rate"]?.int == 10)
        #expect(try await console.event("telemetry.status")["data"]?["rate"]?.int == 5)
        let status = try await console.event("system.status") { $0["request_id"]?.string == "req-123" }
        #expect(status["data"]?["state"]?.string == "ready")
        #expect(try await console.event("unsubscribed")["events"] == JSON(messages[3])["events"])
        try await Self.publish("telemetry.realtime", #"{"velocity":{"linear":1}}"#, backbone)
        for progress in [10, 20] {
          try await Self.publish("mission.progress", #"{"mission_id":"m-1","progress":\#(progress)}"#, backbone)
          _ = try await console.event("mission.progress") { $0["data"]?["progress"]?.int == progress }
        }
        // At its rate it would have come between the two.
        #expect(await console.mailbox.count(ofType: "telemetry.realtime") == 0)
      }
      try await Self.startRobot(backbone)
      try await Subscriber.console(Self.endpoint(backbone, 1), token: backbone.token, [auth, Self.fixture("emergency_stop.json")]) {
        _ = try await $0.event("command_ack") { $0["status"]?.string == "acknowledged" && $0["request_id"]?.string == "req-124" }
      }
    }
  }

  private static func eventTypes() throws -> [String] {
    let folder = fixtureFolder.path(percentEncoded: false)
    let families = ["system.", "telemetry.", "mission.", "safety.", "config.", "module."]
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { name in families.contains { name.hasPrefix($0) } }
    #expect(files.count == 14)
    return files.map { String($0.dropLast(".json".count)) }
  }

  private static let fixtureFolder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/oht50")
  private static func fixture(_ name: String) throws -> String {
    try String(contentsOf: fixtureFolder.appending(path: name), encoding: .utf8)
  }

  @Test func `A stop on one replica stops the robot, its sender learns that, and a console on the other sees it`() async throws {
    try await Self.run { backbone in
      try await Subscriber.console(Self.endpoint(backbone, 2), token: backbone.token, [Self.auth, Self.all]) { witness in
        try await Self.startRobot(backbone)
        _ = try await witness.event("mission.progress")
        let stop = #"{"type":"emergency_stop","reason":"manual_trigger","request_id":"req-124"}"#
        try await Subscriber.console(Self.endpoint(backbone, 1), token: backbone.token, [Self.auth, stop]) { console in
          let requested = try await console.event("command_ack") { $0["status"]?.string == "requested" }
          #expect(requested["request_id"]?.string == "req-124" && requested["appliance_id"]?.string == Self.robot)
          for status in ["sent", "acknowledged"] {
            let ack = try await console.event("command_ack") { $0["status"]?.string == status }
            #expect(ack["command_id"] == requested["command_id"] && ack["request_id"]?.string == "req-124")
          }
        }
        _ = try await witness.event("safety.estop") { $0["data"]?["trigger_type"]?.string == "remote" }
        _ = try await witness.event("safety.clear")
        // What becomes of another's stop is not this console's.
        #expect(await witness.mailbox.count(ofType: "command_ack") == 0)
      }
    }
  }

  @Test func `Consoles that are subscribed to nothing hear what becomes of each of hundreds of stops`() async throws {
    let robots = (1...4).map { "OHT-\($0)" }
    try await Backbone.run(appliances: robots, dialect: "oht50") { backbone in
      for robot in robots { try await Self.startRobot(backbone, robot, rate: 1) }
      try await backbone.waitForRow("4", "SELECT count(DISTINCT appliance_id) FROM events WHERE type = 'system.status'")
      let outcomes = try await backbone.outcomes(of: "emergency_stop", count: 50, to: robots, at: "/telemetry")
      #expect(outcomes.count == 400 && outcomes.allSatisfy { $0 == "emergency_stop acknowledged" }, "\(outcomes.count): \(Set(outcomes))")
      try await backbone.waitForRow("400", "SELECT count(*) FROM commands WHERE state = 'acknowledged'")
    }
  }

  @Test func `Consoles are counted over all replicas, and who comes back to another misses nothing`() async throws {
    try await Self.run { backbone in
      let token = backbone.token
      try await Subscriber.console(Self.endpoint(backbone, 1), token: token, [Self.auth, Self.all]) { first in
        try await Self.publish("mission.started", #"{"mission_id":"m-1","mission_type":"transport"}"#, backbone)
        let seen = try await first.event("mission.started")["id"]?.string ?? ""
        for number in 1...3 { try await Self.publish("safety.zone_entered", #"{"zone_id":"zone-\#(number)"}"#, backbone) }
        let since = #"{"type":"subscribe","events":["safety.*"],"since":"\#(seen)"}"#
        try await Subscriber.console(Self.endpoint(backbone, 2), token: token, [Self.auth, since]) { second in
          #expect(try await second.event("subscribed")["recovered"] == .bool(true))
          try await Self.publish("safety.clear", #"{"cleared_by":"operator"}"#, backbone)
          _ = try await second.event("safety.clear")
          let zones = await second.mailbox.messages.compactMap { $0["data"]?["zone_id"]?.string }
          #expect(zones == ["zone-1", "zone-2", "zone-3"])
          try await Self.waitForCount(2, backbone)
        }
        try await Self.waitForCount(1, backbone)
      }
    }
  }

  /// Asks until so many consoles are told to watch the robot, besides the one that asks.
  private static func waitForCount(_ count: Int, _ backbone: Backbone) async throws {
    for _ in 0..<60 {
      let ask = [auth, #"{"type":"subscribe","events":["telemetry.*"]}"#, #"{"type":"set_telemetry_rate","rate":1}"#]
      let box = Told()
      try await Subscriber.console(endpoint(backbone, 1), token: backbone.token, ask) { console in
        await box.put(try await console.event("telemetry.status")["data"]?["connected_clients"]?.int)
      }
      if await box.value == count + 1 { return }
    }
    Issue.record("never \(count) consoles")
  }

  private actor Told {
    private(set) var value: Int?
    func put(_ value: Int?) { self.value = value }
  }

  @Test func `No console gets a type more often than its limit or its own rate`() async throws {
    try await Self.run { backbone in
      try await Self.startRobot(backbone, rate: 100)
      let gateways = try (1...2).map { String(try backbone.gateway($0).dropLast("/ws".count)) }
      let output = try await Self.whileModulesFail(backbone) {
        try await Tool.run(
          ["/usr/bin/python3", Clients.path("oht50_rates.py"), "4"] + gateways, environment: ["TOKEN": backbone.token],
          limit: .seconds(120))
      }
      let limits_hz: [String: [String: Double]] = [
        "none": ["telemetry.realtime": 10, "system.status": 1, "mission.progress": 5, "system.error": .infinity],
        "subscribe 2": ["telemetry.realtime": 2, "system.status": 1, "mission.progress": 2, "system.error": 2, "module.status_change": 2],
        "set 5": ["telemetry.realtime": 5, "system.status": 1, "mission.progress": 5, "module.status_change": .infinity],
      ]
      let results = try output.split(separator: "\n").map { try JSON(String($0)) }
      #expect(results.count == 6)
      for result in results {
        let elapsed_s = Double(result["elapsed_ms"]?.int ?? 0) / 1000
        for (type, limit_hz) in limits_hz[result["rate"]?.string ?? ""] ?? [:] {
          let count = Double(result["counts"]?[type]?.int ?? 0)
          #expect(count > 0 && count <= elapsed_s * limit_hz + 1, "\(type): \(result)")
        }
      }
    }
  }

  /// The robot tells of errors of its own and of its modules all the while.
  private static func whileModulesFail(_ backbone: Backbone, _ body: @escaping @Sendable () async throws -> String) async throws -> String {
    try await withThrowingTaskGroup(of: String?.self) { group in
      group.addTask {
        while !Task.isCancelled {
          try await publish("system.error", #"{"error_code":"SYS-001","severity":"P0"}"#, backbone)
          try await publish("module.status_change", #"{"module_id":"module-001","new_status":"error"}"#, backbone)
        }
        return nil
      }
      group.addTask { try await body() }
      defer { group.cancelAll() }
      while let output = try await group.next() { if let output { return output } }
      throw CancellationError()
    }
  }

  @Test func `Stops get through a robot's flood, and consoles that did not read get every safety event and the newest telemetry`()
    async throws
  {
    try await Self.run { backbone in
      let program = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Benchmarks/robot_load.py").path
      let output = try await Tool.run(
        ["/usr/bin/python3", program, Self.endpoint(backbone, 1), Self.robot, "10"],
        environment: backbone.stack.mosquitto.clientEnvironment(.simulator).merging(["TOKEN": backbone.token]) { own, _ in own },
        limit: .seconds(240))
      // It fails where one of them misses something.
      #expect(output.contains("safety events in order, and the newest telemetry"), "\(output)")
    }
  }

  @Test(arguments: [("python", "example_client.py"), ("javascript", "example_client.js")])
  func `The document's client examples work as they are`(language: String, file: String) async throws {
    try await Self.run { backbone in
      try await Self.startRobot(backbone)
      let output = try await Tool.run(
        [
          "/usr/bin/python3", Clients.path("oht50_examples.py"), language,
          Self.fixtureFolder.appending(path: file).path(percentEncoded: false),
          backbone.stack.nginx.url,
        ], environment: ["TOKEN": backbone.token], limit: .seconds(120))
      let told = try output.split(separator: "\n").map { try JSON(String($0)) }
      #expect(told.contains { $0["telemetry"]?["position"]?["x"] != nil } && told.contains { $0["status"]?["health"] != nil })
      #expect(!told.contains { $0["error"] != nil })
    }
  }

  @Test func `Bad tokens are told by WS-001 and a close`() async throws {
    try await Self.run { backbone in
      let stack = backbone.stack
      try await stack.martletctl("apply", "-", input: "users:\n  - id: leaver\n")
      let revoked = try await stack.martletctl("token", "leaver")
      _ = try await stack.postgres.query("UPDATE users SET tokens_valid_from = now() + interval '1 day' WHERE id = 'leaver'")
      let refused = [
        ("nonsense", "Invalid or expired token"), (revoked, "Token has been revoked"),
        (try await stack.martletctl("token", "nobody", "--unchecked"), "User not found"),
      ]
      for (token, reason) in refused {
        try await Subscriber.console(Self.endpoint(backbone, 1), token: token, [Self.auth]) { console in
          #expect(try await console.event("error")["error_code"]?.string == "WS-001")
          let closed = try await console.event("test:closed")
          #expect(closed["data"]?["code"]?.int == 1008 && closed["data"]?["reason"]?.string == reason)
        }
      }
    }
  }

  // MARK: Bad input

  /// What a viewer of the robot says, and the code by which it is answered.
  private static let refused = [
    (#"{"type":"subscribe","events":["**"]}"#, "WS-002"), (#"{"type":"subscribe","events":["."]}"#, "WS-002"),
    (#"{"type":"subscribe","events":["invalid.event"]}"#, "WS-002"), (#"{"type":"subscribe","events":[\(patterns(4000))]}"#, "WS-002"),
    (#"{"type":"subscribe","events":["*"],"appliance_id":"OHT-2"}"#, "WS-002"),
    (#"{"type":"set_telemetry_rate","rate":0}"#, "WS-003"), (#"{"type":"set_telemetry_rate","rate":-1}"#, "WS-003"),
    (#"{"type":"set_telemetry_rate","rate":1e9}"#, "WS-003"),
    // This is no JSON.
    (#"{"type":"set_telemetry_rate","rate":NaN}"#, "WS-002"), (stop, "WS-002"),
  ]
  private static let stop = #"{"type":"emergency_stop","appliance_id":"OHT-1"}"#

  private static func patterns(_ count: Int) -> String { Array(repeating: #""*""#, count: count).joined(separator: ",") }

  /// None of these is confirmed, and no confirmation is waited for.
  private static func disguised(_ message: String) -> String {
    message.replacingOccurrences(of: "\"subscribe\"", with: "\"\\u0073ubscribe\"")
  }

  @Test func `What a viewer may not say is answered by the document's error and noted, and does nothing else`() async throws {
    try await Self.run { backbone in
      let stack = backbone.stack
      let robot = "{id: \(Self.robot), dialect: oht50, owner: \(Backbone.user), shared_with: [{user: guest, role: viewer}]}"
      let foreign = "{id: OHT-2, dialect: oht50, owner: \(Backbone.user)}"
      try await stack.martletctl("apply", "-", input: "users:\n  - id: guest\nappliances:\n  - \(robot)\n  - \(foreign)\n")
      let guest = try await stack.martletctl("token", "guest")
      let messages = [Self.auth] + Self.refused.map { Self.disguised($0.0) } + [#"{"type":"ping"}"#]
      try await Subscriber.console(Self.endpoint(backbone, 1), token: guest, messages) { console in
        _ = try await console.event("pong")
        _ = try await console.event("command_ack") { $0["status"]?.string == "failed" && $0["code"]?.string == "NOT_PERMITTED" }
        // The stop is answered whenever it was looked at.
        let told = await console.mailbox.messages
        #expect(told.compactMap { $0["error_code"]?.string }.sorted() == Self.refused.map(\.1).sorted())
        #expect(told.count == Self.refused.count + 3, "authenticated, command_ack and pong: \(told)")
      }
      // More than the document's longest message.
      let long = Self.disguised(#"{"type":"subscribe","events":[\#(Self.patterns(10_000))]}"#)
      try await Subscriber.console(Self.endpoint(backbone, 2), token: guest, [Self.auth, long]) { console in
        let closed = try await console.event("test:closed")
        #expect(closed["data"]?["code"]?.int == 1009)
      }
      let noted = [
        ("result = 'refused' AND action = 'request' AND detail = '/ws/telemetry: WS-002 Invalid Event Type'", "6"),
        ("result = 'refused' AND action = 'request' AND detail = '/ws/telemetry: WS-003 Rate Limit Exceeded'", "3"),
        ("result = 'refused' AND action = 'request' AND appliance_id = 'OHT-2'", "1"),
        ("result = 'refused' AND action = 'command.requested' AND appliance_id = '\(Self.robot)'", "1"),
        ("result = 'refused'", "10"), ("action LIKE 'subscription.%'", "0"),
      ]
      for (condition, count) in noted {
        try await backbone.waitForRow(count, "SELECT coalesce(sum(count), 0) FROM audit_log WHERE user_id = 'guest' AND \(condition)")
      }
      #expect(try await stack.postgres.query("SELECT count(*) FROM commands") == "0")
    }
  }
}
