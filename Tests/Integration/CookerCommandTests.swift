import LocalStack
import Testing

/// Commands from an app on one replica to a cooker, and what others see of it on another.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CookerCommandTests {
  private static let appliance = "EPIC-001"

  /// What becomes of commands that an app sends which is subscribed to nothing.
  private func send(_ types: String..., on backbone: Backbone) async throws -> String {
    try await backbone.outcomes(of: types, to: Self.appliance, at: backbone.gateway(1)).joined(separator: "\n")
  }

  /// A real cooker's speed: at a higher one its session, or an error that it plays, could come to its end before the last command does.
  private func startCooker(_ manner: String, _ appliance: String = Self.appliance, on backbone: Backbone) async throws {
    try await backbone.stack.keepMartletctl(
      "cooker-\(appliance)", ["simulate", "epicura", appliance, "--waits", "--interval", "0.2", "--speed", "1", "--commands", manner])
  }

  private func waitForStatus(_ status: String, _ app: Subscriber) async throws {
    _ = try await app.event("appliance:status") { $0["data"]?["status"]?.string == status }
  }

  @Test(arguments: [0, 3])
  func `A cooker does what an app on one replica says, an app on another sees it, and a cooker that is gone is told at once`(
    _ redisMasters: Int
  ) async throws {
    try await Backbone.run(appliances: [Self.appliance], redisMasters: redisMasters) { backbone in
      try await Subscriber.run(backbone.gateway(2), token: backbone.token, appliances: [Self.appliance]) { witness in
        try await startCooker("obey", on: backbone)
        try await waitForStatus("online", witness)
        #expect(try await send("cooking:start", on: backbone) == "cooking:start command:acknowledged")
        _ = try await witness.event("cooking:started")
        _ = try await witness.event("cooking:progress")
        let outcomes = try await send("cooking:pause", "cooking:resume", "cooking:stop", on: backbone)
        #expect(
          outcomes == """
            cooking:pause command:acknowledged
            cooking:resume command:acknowledged
            cooking:stop command:acknowledged
            """)
        for type in ["cooking:start", "cooking:pause", "cooking:resume", "cooking:stop"] {
          for step in ["command:requested", "command:sent", "command:acknowledged"] {
            _ = try await witness.event(step) { $0["data"]?["type"]?.string == type }
          }
        }
        try await backbone.stack.kill("cooker-\(Self.appliance)")
        try await waitForStatus("offline", witness)
        #expect(try await send("cooking:pause", on: backbone) == "cooking:pause command:failed APPLIANCE_OFFLINE")
      }
    }
  }

  @Test func `Apps that are subscribed to nothing hear what becomes of each of hundreds of stops`() async throws {
    let cookers = (1...4).map { "EPIC-00\($0)" }
    try await Backbone.run(appliances: cookers) { backbone in
      for cooker in cookers { try await startCooker("obey", cooker, on: backbone) }
      try await backbone.waitForRow("4", "SELECT count(*) FROM events WHERE type = 'appliance:status'")
      let outcomes = try await backbone.outcomes(of: "cooking:stop", count: 50, to: cookers, at: "")
      #expect(
        outcomes.count == 400 && outcomes.allSatisfy { $0 == "cooking:stop command:acknowledged" }, "\(outcomes.count): \(Set(outcomes))")
      try await backbone.waitForRow("400", "SELECT count(*) FROM commands WHERE state = 'acknowledged'")
    }
  }

  @Test func `A silent cooker is told of at the deadline`() async throws {
    try await Backbone.run(appliances: [Self.appliance]) { backbone in
      try await Subscriber.run(backbone.gateway(2), token: backbone.token, appliances: [Self.appliance]) { witness in
        try await startCooker("silent", on: backbone)
        try await waitForStatus("online", witness)
        #expect(try await send("cooking:pause", on: backbone) == "cooking:pause command:failed COMMAND_TIMEOUT")
        _ = try await witness.event("command:failed") { $0["data"]?["code"]?.string == "COMMAND_TIMEOUT" }
      }
    }
  }
}
