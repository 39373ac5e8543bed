import Foundation
import LocalStack
import Testing

/// The WebMACS document's protocol, seen by a controller and dashboards that are none of ours.
@Suite(.serialized, .timeLimit(.minutes(5))) struct WebMACSTests {
  private static let controller = "LAB-1"

  private static let accounts = """
    users:
      - id: \(Backbone.user)
      - id: leaver
    appliances:
      - id: \(controller)
        dialect: webmacs
        owner: \(Backbone.user)
        sensors: [temperature, {id: pressure, name: Pressure, unit: hPa}, humidity, unlinked]
        plugins:
          - {id: weather, sensors: [temperature, pressure]}
          - {id: damp, sensors: [humidity], enabled: false}
    """

  /// Runs `body` with the environment that the client wants.
  private static func run(gateways: Int, _ body: @Sendable (Backbone, _ tokens: [String: String]) async throws -> Void) async throws {
    try await Backbone.run(appliances: [], gateways: gateways) { backbone in
      let stack = backbone.stack
      try await stack.martletctl("apply", "-", input: accounts)
      var tokens = [
        "USER": backbone.token, "REVOKED": try await stack.martletctl("token", "leaver"),
        "NOBODY": try await stack.martletctl("token", "nobody", "--unchecked"),
      ]
      tokens["CONTROLLER"] = try await stack.martletctl("token", "--device", controller)
      tokens["GHOST"] = try await stack.martletctl("token", "--device", "--unchecked", "LAB-404")
      _ = try await stack.postgres.query("UPDATE users SET tokens_valid_from = now() + interval '1 day' WHERE id = 'leaver'")
      try await body(backbone, tokens)
    }
  }

  private static func client(_ arguments: [String], _ tokens: [String: String]) async throws -> [JSON] {
    let output = try await Tool.run(
      ["/usr/bin/python3", Clients.path("webmacs.py")] + arguments, environment: tokens, limit: .seconds(120))
    return try output.split(separator: "\n").map { try JSON(String($0)) }
  }

  private static func address(_ backbone: Backbone, _ number: Int) throws -> String {
    String(try backbone.gateway(number).dropLast("/ws".count))
  }

  @Test func `The protocol is the document's, to the word`() async throws {
    try await Self.run(gateways: 1) { backbone, tokens in
      let lines = try await Self.client(["protocol", backbone.stack.nginx.url], tokens)
      let told = Dictionary(uniqueKeysWithValues: lines.compactMap { line in line["case"]?.string.map { ($0, line["told"]) } })
      for (name, expected) in try Self.expected() { #expect(told[name] == expected, "\(name)") }
      #expect(told["mixed"]??.element(0)?["message"] == .string("4 of 5 datapoints rejected"))
      let places = told["mixed"]??.element(0)?["rejected"]?.elements.compactMap { $0["index"]?.int }
      #expect(places == [0, 2, 3, 4])
      #expect(told["mixed"]??.element(1) == (try JSON(#"{"type":"ack","accepted":1,"rejected":4}"#)))
      let timestamps = told["broadcast"]??.element(0)?["datapoints"]?.elements.compactMap { $0["timestamp"]?.string } ?? []
      #expect(timestamps.count == 2)
      for timestamp in timestamps { #expect(timestamp.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}/) != nil, "\(timestamp)") }
      // Durable when it was acknowledged, and a reading under the sensor's name in the end: 500 and those before and after.
      try await backbone.waitForRow("503", "SELECT count(*) FROM readings WHERE appliance_id = 'LAB-1' AND metric = 'temperature'")
      try await backbone.waitForRow("2", "SELECT count(*) FROM readings WHERE appliance_id = 'LAB-1' AND metric = 'pressure'")
      try await backbone.waitForRow("0", "SELECT count(*) FROM readings WHERE metric IN ('humidity', 'unlinked')")
    }
  }

  /// What each case is answered with, where it is always the same.
  private static func expected() throws -> [(String, JSON)] {
    let none = #"[{"type":"error","message":"No valid datapoints in batch"}]"#
    return try [
      ("close /ws/controller/telemetry None", #"[1008,"Authentication required"]"#),
      ("close /ws/controller/telemetry WRONG", #"[1008,"Invalid or expired token"]"#),
      ("close /ws/controller/telemetry GHOST", #"[1008,"User not found"]"#),
      ("close /ws/datapoints/stream None", #"[1008,"Authentication required"]"#),
      ("close /ws/datapoints/stream WRONG", #"[1008,"Invalid or expired token"]"#),
      ("close /ws/datapoints/stream NOBODY", #"[1008,"User not found"]"#),
      ("close /ws/datapoints/stream REVOKED", #"[1008,"Token has been revoked"]"#),
      ("connected", #"[{"type":"connected","message":"Subscribed to live datapoint stream."}]"#), ("ping", #"[{"type":"pong"}]"#),
      ("noise", #"["error"]"#), ("pong", #"[{"type":"pong"}]"#), ("good", #"[{"type":"ack","accepted":2,"rejected":0}]"#),
      ("broadcast mixed", "[true]"), ("unlinked", none), ("disabled", none), ("empty", none),
      ("object", #"[{"type":"error","message":"The message is not a JSON object"}]"#),
      ("500", #"[{"type":"ack","accepted":500,"rejected":0}]"#), ("501", #"[{"type":"error","message":"Batch exceeds 500 datapoints"}]"#),
      ("after", #"[{"type":"ack","accepted":1,"rejected":0}]"#), ("no ack", #"[{"type":"pong"}]"#),
      ("too many errors", #"[1008,"Too many errors"]"#),
    ].map { ($0, try JSON($1)) }
  }

  @Test func `Over three gateways no sensor comes more often than every 200 ms, and its last value always`() async throws {
    try await Self.run(gateways: 3) { backbone, tokens in
      let gateways = try (1...3).map { try Self.address(backbone, $0) }
      let dashboards = try await Self.client(["throttle"] + gateways, tokens)
      #expect(dashboards.count == 3)
      for dashboard in dashboards {
        #expect(dashboard["last"] == dashboard["sent"])
        // Counted over the whole time, because a frame that was held up on its way shortens the interval behind it.
        let elapsed_ms = dashboard["elapsed_ms"]?.int ?? 0
        for sensor in ["temperature", "pressure"] {
          #expect(dashboard["counts"]?[sensor]?.int ?? .max <= elapsed_ms / 200 + 1, "\(dashboard)")
        }
      }
    }
  }

  @Test func `What was acknowledged is stored once, also when Redis dies meanwhile`() async throws {
    try await Self.run(gateways: 1) { backbone, tokens in
      let gateway = try Self.address(backbone, 1)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { _ = try await Self.client(["numbered", gateway, "1", "400"], tokens) }
        for passed in [50, 150, 250] {
          try await Self.waitForReadings(backbone, atLeast: passed)
          try await backbone.stack.kill("redis")
          try await backbone.stack.start("redis")
        }
        try await group.waitForAll()
      }
      try await backbone.waitForRow("400 400", Self.temperatures)
    }
  }

  private static let temperatures = "SELECT count(*) || ' ' || count(DISTINCT value) FROM readings WHERE metric = 'temperature'"

  private static func waitForReadings(_ backbone: Backbone, atLeast count: Int) async throws {
    try await backbone.waitForRow("t", "SELECT count(*) >= \(count) FROM readings WHERE metric = 'temperature'")
  }

  @Test func `While PostgreSQL is away, a controller that is known goes on, also over a new connection`() async throws {
    try await Self.run(gateways: 1) { backbone, tokens in
      let gateway = try Self.address(backbone, 1)
      #expect(try await Self.client(["numbered", gateway, "1", "3"], tokens).count == 3)
      try await backbone.stack.stop("postgres")
      #expect(try await Self.client(["numbered", gateway, "4", "6"], tokens).count == 3)
      try await backbone.stack.start("postgres")
      try await backbone.waitForRow("6 6", Self.temperatures)
    }
  }

  @Test func `A simulated controller comes back to another gateway and goes on`() async throws {
    try await Self.run(gateways: 2) { backbone, tokens in
      let stack = backbone.stack
      try await stack.keepMartletctl(
        "controller",
        [
          "simulate", "webmacs", Self.controller, "--sensors", "temperature,pressure", "--interval", "0.05", "--url",
          "\(stack.nginx.url)/ws/controller/telemetry",
        ],
        environment: ["MARTLET_DEVICE_SECRET": try #require(tokens["CONTROLLER"])])
      for (number, gateway) in ["gateway-1", "gateway-2"].enumerated() {
        let before = Int(try await stack.postgres.query("SELECT count(*) FROM readings WHERE metric = 'pressure'")) ?? 0
        try await backbone.waitForRow("t", "SELECT count(*) > \(before) FROM readings WHERE metric = 'pressure'")
        try await stack.kill(gateway)
        let lost = Int(try await stack.postgres.query("SELECT count(*) FROM readings WHERE metric = 'pressure'")) ?? 0
        try await backbone.waitForRow("t", "SELECT count(*) > \(lost + 10 * (number + 1)) FROM readings WHERE metric = 'pressure'")
        try await stack.start(gateway)
      }
    }
  }
}
