import Foundation
import LocalStack
import Testing

/// What a table of roles keeps from whom of heaters and lab controllers: live, at once, after a return, and by REST.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RoleTests {
  private static let table = """
    reefnet viewer events reefnet:alarm
    reefnet operator events * !reefnet:alarm
    reefnet viewer commands reefnet:ping
    reefnet operator commands * !reefnet:set_param
    reefnet viewer readings environment.*
    webmacs viewer events !telemetry:datapoints
    webmacs viewer readings pressure
    """
  private static let (module, controller) = ("PickleHeat.Heater", "LAB-1")
  private static let accounts = """
    users:
      - id: \(Backbone.user)
      - id: cook
      - id: guest
    appliances:
      - {id: \(module), dialect: reefnet, owner: \(Backbone.user), shared_with: [{user: cook, role: operator}, {user: guest, role: viewer}]}
      - id: \(controller)
        dialect: webmacs
        owner: \(Backbone.user)
        shared_with: [{user: guest, role: viewer}]
        sensors: [temperature, pressure]
        plugins:
          - {id: weather, sensors: [temperature, pressure]}
    """

  /// What the client was told in each case.
  private static func run(_ mode: String, expecting expected: [(String, String)]) async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "roles-\(UUID().uuidString)").path
    try table.write(toFile: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: file) }
    try await Backbone.run(appliances: [], rules: 1, environment: ["MARTLET_ROLES_FILE": file]) { backbone in
      let (stack, api) = (backbone.stack, try backbone.stack.service("api-1"))
      try await stack.martletctl("apply", "-", input: accounts)
      var tokens = ["OWNER": backbone.token]
      for (name, user) in [("COOK", "cook"), ("GUEST", "guest")] { tokens[name] = try await stack.martletctl("token", user) }
      for (name, device) in [("MODULE", module), ("CONTROLLER", controller)] {
        tokens[name] = try await stack.martletctl("token", "--device", device)
      }
      let gateways = try (1...2).map { String(try backbone.gateway($0).dropLast("/ws".count)) }
      let output = try await Tool.run(
        ["/usr/bin/python3", Clients.path("roles.py"), mode] + gateways + ["http://\(api.host):\(api.port)"], environment: tokens,
        limit: .seconds(120))
      let lines = try output.split(separator: "\n").map { try JSON(String($0)) }
      let told = Dictionary(uniqueKeysWithValues: lines.map { ($0["case"]?.string ?? "", $0["told"] ?? .null) })
      #expect(told.count == expected.count)
      for (name, text) in expected { #expect(try told[name] == JSON(text), "\(name)") }
    }
  }

  @Test func `Of a heater each role gets what the table says`() async throws {
    let all = #"["alarm 1","status 2","alarm 2","status 3","alarm 3"]"#
    let (statuses, alarms) = (#"["status 2","status 3"]"#, #"["alarm 1","alarm 2","alarm 3"]"#)
    try await Self.run(
      "heater",
      expecting: ["OWNER", "COOK", "GUEST"].map { ("control \($0)", #"["yes","sent"]"#) } + [
        ("ui OWNER", all), ("app OWNER", all), ("ui COOK", statuses), ("app COOK", statuses), ("ui GUEST", alarms), ("app GUEST", alarms),
        ("at once OWNER", #"["status 3"]"#), ("at once COOK", #"["status 3"]"#), ("at once GUEST", "[]"),
        ("missed OWNER", #"["alarm 1","alarm 2","alarm 3","status 3"]"#), ("missed COOK", #"["status 3"]"#),
        ("missed GUEST", #"["alarm 1","alarm 2","alarm 3"]"#),
        ("events OWNER", #"["reefnet:alarm","reefnet:status"]"#), ("events COOK", #"["reefnet:status"]"#),
        ("events GUEST", #"["reefnet:alarm"]"#),
        ("readings OWNER", "[200,200]"), ("readings COOK", "[200,200]"), ("readings GUEST", "[200,403]"),
        ("alarms OWNER", "[3,3]"), ("alarms COOK", "[0,0]"), ("alarms GUEST", "[3,3]"), ("acknowledge COOK", "404"),
        ("acknowledged COOK", "[]"), ("changed", "[]"),
      ])
  }

  @Test func `Of a lab controller each role gets what the table says`() async throws {
    let both = #"["pressure","temperature"]"#
    try await Self.run(
      "controller",
      expecting: [
        ("stream OWNER", both), ("stream GUEST", #""pong""#), ("app GUEST", #""pong""#),
        ("missed OWNER", #""telemetry:datapoints""#), ("missed GUEST", #""pong""#),
        ("events OWNER", #"["telemetry:datapoints"]"#), ("events GUEST", "[]"),
        ("readings OWNER", "[200,200]"), ("readings GUEST", "[200,403]"),
        ("latest OWNER", both), ("latest GUEST", "[]"), ("changed", #""datapoints_batch""#),
      ])
  }
}
