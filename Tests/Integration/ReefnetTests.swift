import Foundation
import LocalStack
import Testing

/// The reefnet document's protocol over WebSocket, seen by a module and UIs that are none of ours, at different replicas.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ReefnetTests {
  private static let module = "PickleHeat.Heater"
  private static let secret = String(repeating: "s", count: 43)

  /// Runs `body` with two gateways and the environment that the client wants.
  private static func run(
    rules: Int = 0, _ body: @escaping @Sendable (Backbone, _ tokens: [String: String]) async throws -> Void
  ) async throws {
    try await Backbone.run(appliances: [], rules: rules) { backbone in
      let stack = backbone.stack
      try await stack.martletctl(
        "apply", "-",
        input: """
          users:
            - id: \(Backbone.user)
            - id: guest
            - id: stranger
          appliances:
            - {id: \(module), dialect: reefnet, owner: \(Backbone.user), shared_with: [{user: guest, role: viewer}]}
            - {id: Someone.Else, dialect: reefnet, owner: stranger}
            - {id: LAB-1, dialect: webmacs, owner: \(Backbone.user)}
          """)
      _ = try await stack.postgres.query(
        "INSERT INTO device_credentials (appliance_id, secret_sha256) VALUES ('\(module)', sha256('\(secret)'))")
      let tokens = [
        "USER": backbone.token, "GUEST": try await stack.martletctl("token", "guest"), "SECRET": secret,
        "MODULE": try await stack.martletctl("token", "--device", module),
      ]
      try await body(backbone, tokens)
    }
  }

  private static func client(_ arguments: [String], _ tokens: [String: String]) async throws -> [(name: String, told: JSON)] {
    let output = try await Tool.run(
      ["/usr/bin/python3", Clients.path("reefnet.py")] + arguments, environment: tokens, limit: .seconds(120))
    return try output.split(separator: "\n").map { line in
      let answer = try JSON(String(line))
      return (answer["case"]?.string ?? "", answer["told"] ?? .null)
    }
  }

  private static func address(_ backbone: Backbone, _ number: Int) throws -> String {
    String(try backbone.gateway(number).dropLast("/ws".count))
  }

  private static func fixtures() throws -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/reefnet")
  }

  @Test func `Every frame of the document goes through, both ways, between a module and a UI at different gateways`() async throws {
    try await Self.run { backbone, tokens in
      let folder = try Self.fixtures()
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      let said = ["status.json", "status.no_network.json"] + names.filter { $0.hasPrefix("alarm.") }
      let controls = names.filter { !said.contains($0) }
      func text(_ name: String) throws -> JSON { try JSON(String(contentsOf: folder.appending(path: name), encoding: .utf8)) }
      let files = said.map { folder.appending(path: $0).path } + ["--"] + controls.map { folder.appending(path: $0).path }
      let lines = try await Self.client(["frames", Self.address(backbone, 1), Self.address(backbone, 2)] + files, tokens)
      let told = Dictionary(uniqueKeysWithValues: lines.map { ($0.name, $0.told) })
      #expect(controls.count >= 9)
      for name in said { #expect(try told[name] == text(name), "\(name)") }
      for name in controls {
        #expect(told[name] == (try JSON(#"[["sent"],["acknowledged"]]"#)), "\(name)")
        let (sent, heard) = (try text(name), try #require(told["heard \(name)"]))
        #expect(heard["protocol"]?.string == "reefnet.v1" && heard["module_id"]?.string == Self.module, "\(heard)")
        #expect(heard["payload"]?["command"] == sent["payload"]?["command"] ?? sent["type"], "\(heard)")
        for member in ["parameters", "param", "value"] {
          #expect(heard["payload"]?[member] == sent["payload"]?[member] ?? sent[member], "\(heard)")
        }
        #expect(try told["status \(name)"] == text("status.json"))
      }
      #expect(try told["at once"] == text("status.json"))
      // What no module knows is logged with the frame's bytes; in a line of JSON, where a backslash is two.
      let log = try String(contentsOfFile: backbone.stack.folder.log("gateway-2"), encoding: .utf8)
      let line = "A frame on /ws/reefnet from \(Backbone.user): unknown parameters are passed over: fan_speed; it was '{"
      #expect(log.contains(line + #"\\x0a  \"protocol\": \"reefnet.v1\""#) && log.contains(#"\"fan_speed\": 3"#))
      for metric in ["environment.temperature_c", "subsystems.heater.sensors.Primary", "subsystems.heater.setpoints.setpoint_c"] {
        try await backbone.waitForRow("t", "SELECT count(*) > 1 FROM readings WHERE metric = '\(metric)'")
      }
    }
  }

  // MARK: Alarms

  @Test func `An alarm is raised by a module, acknowledged by a user and cleared, and a UI and an app hear of all of it`() async throws {
    try await Self.run(rules: 1) { backbone, tokens in
      let types = ["alarm:raised", "alarm:acknowledged", "alarm:cleared"]
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: [Self.module], types: types) { app in
        let endpoint = try Self.address(backbone, 2) + "/ws/reefnet?token="
        // The UI is a guest's, who may watch.
        try await Subscriber.console(endpoint + #require(tokens["GUEST"]), token: "", []) { ui in
          try await Self.say("status", backbone)
          _ = try await ui.event("status")
          let raised = "safety.heater_overrun"
          try await Subscriber.console(endpoint + #require(tokens["MODULE"]), token: "", [Self.frame("alarm.\(raised)")]) { _ in
            _ = try await Self.alarm(raised, isActive: true, by: nil, ui)
          }
          let alarm = try await app.event("alarm:raised") { $0["data"]?["source"]?.string == "code:\(raised)" }
          #expect(try await Self.acknowledge(alarm, as: #require(tokens["GUEST"]), backbone)["code"]?.string == "not_permitted")
          // Of several times the first counts.
          for _ in 1...2 {
            #expect(try await Self.acknowledge(alarm, as: backbone.token, backbone)["acknowledged_by"]?.string == Backbone.user)
          }
          let frame = try await Self.alarm(raised, isActive: true, by: Backbone.user, ui)
          #expect(frame["payload"]?["severity"]?.string == "critical" && frame["payload"]?["message"]?.string == "Heater overrun")
          try await Self.say("alarm.\(raised).cleared", backbone)
          _ = try await Self.alarm(raised, isActive: false, by: nil, ui)
          try await Self.checkLateAcknowledgement(backbone, app, ui)
          // Nothing was told twice.
          #expect(await app.mailbox.count(ofType: "alarm:acknowledged") == 2)
          #expect(await ui.mailbox.messages.count { $0["payload"]?["acknowledged_by"] != nil } == 2)
        }
      }
      try await backbone.waitForRow(
        "2",
        "SELECT count(*) FROM alarms WHERE acknowledged_by = '\(Backbone.user)' AND acknowledged_at >= raised_at AND cleared_at IS NOT NULL"
      )
      try await backbone.waitForRow(
        "2",
        "SELECT count(*) FROM audit_log WHERE action = 'alarm.acknowledged' AND user_id = '\(Backbone.user)' AND appliance_id = '\(Self.module)' AND address = '127.0.0.1'"
      )
      try await backbone.waitForRow(
        "1",
        "SELECT sum(count) FROM audit_log WHERE action = 'request' AND result = 'refused' AND user_id = 'guest' AND detail LIKE 'acknowledgeAlarm%'"
      )
    }
  }

  /// An alarm that nobody had seen before it was over.
  private static func checkLateAcknowledgement(_ backbone: Backbone, _ app: Subscriber, _ ui: Subscriber) async throws {
    let raised = "thermistor_mismatch"
    try await say("alarm.\(raised)", backbone)
    _ = try await alarm(raised, isActive: true, by: nil, ui)
    try await say("alarm.\(raised).cleared", backbone)
    let cleared = try await app.event("alarm:cleared") { $0["data"]?["source"]?.string == "code:\(raised)" }
    _ = try await acknowledge(cleared, as: backbone.token, backbone)
    _ = try await alarm(raised, isActive: false, by: Backbone.user, ui)
    let told = try await app.event("alarm:acknowledged") { $0["data"]?["alarm_id"] == cleared["data"]?["alarm_id"] }
    #expect(told["data"]?["state"]?.string == "cleared" && told["data"]?["acknowledged_by"]?.string == Backbone.user)
  }

  private static func frame(_ name: String) throws -> String {
    try String(contentsOf: fixtures().appending(path: name + ".json"), encoding: .utf8)
  }

  /// Publishes one of the document's frames.
  private static func say(_ name: String, _ backbone: Backbone) async throws {
    let topic = "reefnet/\(module)/\(name.prefix { $0 != "." })"
    try await backbone.stack.mosquitto.publish("-q", "1", "-t", topic, "-s", input: frame(name))
  }

  private static func alarm(_ code: String, isActive: Bool, by user: String?, _ ui: Subscriber) async throws -> JSON {
    try await ui.event("alarm") { frame in
      let payload = frame["payload"]
      return payload?["code"]?.string == code && payload?["active"] == .bool(isActive) && payload?["acknowledged_by"]?.string == user
    }
  }

  /// - Parameter alarm: an event that tells its number.
  private static func acknowledge(_ alarm: JSON, as token: String, _ backbone: Backbone) async throws -> JSON {
    let (api, number) = (try backbone.stack.service("api-1"), try #require(alarm["data"]?["alarm_id"]?.int))
    let url = "http://\(api.host):\(api.port)/api/v1/appliances/\(module)/alarms/\(number)/acknowledge"
    let output = try await Tool.run(
      ["/usr/bin/curl", "-s", "-X", "POST", "-H", "Authorization: Bearer \(token)", url], limit: .seconds(30))
    return try JSON(output)
  }

  // MARK: What is refused

  @Test func `What is wrong, foreign or not permitted is met with silence, and logged with its bytes`() async throws {
    try await Self.run { backbone, tokens in
      let lines = try await Self.client(["silence", Self.address(backbone, 1), Self.address(backbone, 2)], tokens)
      let told = Dictionary(uniqueKeysWithValues: lines.map { ($0.name, $0.told) })
      #expect(told["heard"] == (try JSON(#"["status_request","status_request"]"#)))
      #expect(told["next ui"] == (try JSON(#"["command_ack","u","sent"]"#)))
      #expect(told["next guest"] == (try JSON(#"["command_ack","g","sent"]"#)))
      #expect(told["too many"] == (try JSON(#"[1008,"Too many errors"]"#)))
      let log = try String(contentsOfFile: backbone.stack.folder.log("gateway-2"), encoding: .utf8)
      #expect(log.contains("it was '{'"))
      // Whoever sends too much hides no line of another's.
      #expect(log.contains("from guest: A control that the user may not send to this module; it was ''"))
      // In a line of JSON, where a backslash is two.
      #expect(log.contains(#"it was '{\\x01\\x7f\\x0a'"#))
      #expect(log.contains("'{" + String(repeating: "x", count: 1023) + "…'"))
      #expect(log.contains("bytes that name a token") && !log.contains("hush"))
      #expect(!log.contains(backbone.token))
      try await backbone.waitForRow("1", "SELECT count(*) FROM events WHERE type = 'reefnet:status'")
      // Whoever reached for what is not theirs is noted.
      for (noted, count) in [
        ("action = 'command.requested' AND user_id = '\(Backbone.user)' AND appliance_id = 'Someone.Else'", "1"),
        ("action = 'command.requested' AND user_id = 'guest' AND appliance_id = '\(Self.module)'", "1"),
        ("action = 'request' AND user_id IS NULL AND appliance_id = '\(Self.module)'", "2"), ("true", "4"),
      ] {
        try await backbone.waitForRow(count, "SELECT coalesce(sum(count), 0) FROM audit_log WHERE result = 'refused' AND \(noted)")
      }
    }
  }

  @Test func `A module proves itself, and its newer connection takes the older one's place`() async throws {
    try await Self.run { backbone, tokens in
      let lines = try await Self.client(["credentials", Self.address(backbone, 1)], tokens)
      let told = Dictionary(uniqueKeysWithValues: lines.map { ($0.name, $0.told) })
      let refused = try JSON(#"[1008,"Invalid or expired token"]"#)
      #expect(told["no credential"] == (try JSON(#"[1008,"Authentication required"]"#)))
      for name in ["wrong in hello", "wrong secret", "another's secret", "another's token"] { #expect(told[name] == refused, "\(name)") }
      #expect(told["secret"] == .number(1) && told["hello"] == .number(2))
      #expect(told["replaced"] == (try JSON(#"[1008,"Another connection of this module has taken its place"]"#)))
    }
  }

  @Test func `A simulated heater is commanded from another replica, moves to another, and is told as offline when it has gone`()
    async throws
  {
    try await Self.run { backbone, tokens in
      let (stack, token) = (backbone.stack, try #require(tokens["MODULE"]))
      @Sendable func control(_ gateway: Int, _ setpoint: Int) async throws -> [JSON] {
        let text = #"{"type":"set_param","param":"setpoint_c","value":\#(setpoint)}"#
        return try await Self.client(["control", Self.address(backbone, gateway), text], tokens).map(\.told)
      }
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: [Self.module], types: ["appliance:status"]) { app in
        for gateway in [1, 2] {
          try await stack.keepMartletctl(
            "heater-\(gateway)",
            [
              "simulate", "heater", Self.module, "--interval", "0.2", "--seed", "1", "--url",
              "\(Self.address(backbone, gateway))/ws/reefnet",
            ],
            environment: ["MARTLET_DEVICE_SECRET": token])
          try await app.mailbox.wait(for: "online \(gateway)") { messages in
            messages.last?["data"]?["status"]?.string == "online" ? () : nil
          }
          #expect(try await control(3 - gateway, 20 + gateway) == [JSON(#"["sent"]"#), JSON(#"["acknowledged"]"#)])
          try await stack.kill("heater-\(gateway)")
          let offline = try await app.mailbox.wait(for: "offline \(gateway)") { messages in
            messages.last.flatMap { $0["data"]?["status"]?.string == "offline" ? $0 : nil }
          }
          #expect(offline["data"]?["reason"]?.string == "disconnected")
          #expect(try await control(gateway, 30) == [JSON(#"["failed","APPLIANCE_OFFLINE"]"#)])
        }
      }
    }
  }

  @Test func `When the gateway of a module is killed, its silence tells that it is offline`() async throws {
    try await Self.run { backbone, tokens in
      let stack = backbone.stack
      try await Subscriber.run(backbone.gateway(2), token: backbone.token, appliances: [Self.module], types: ["appliance:status"]) { app in
        try await stack.keepMartletctl(
          "heater", ["simulate", "heater", Self.module, "--url", "\(Self.address(backbone, 1))/ws/reefnet"],
          environment: ["MARTLET_DEVICE_SECRET": try #require(tokens["MODULE"])])
        _ = try await app.event("appliance:status") { $0["data"]?["status"]?.string == "online" }
        try await stack.kill("gateway-1")
        // A minute may pass before ingest trusts a silence.
        try await app.mailbox.wait(for: "offline", limit: .seconds(120)) { messages in
          messages.contains { $0["data"]?["reason"]?.string == "silent" } ? () : nil
        }
      }
    }
  }
}
