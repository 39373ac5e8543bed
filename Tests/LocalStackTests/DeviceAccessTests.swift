import LocalStack
import Testing

/// What a device with a login of its own may say and hear, by the access list that is deployed.
@Suite(.timeLimit(.minutes(1))) struct DeviceAccessTests {
  private static let says = [
    "epicura/DEV-1/status", "epicura/DEV-1/session/progress", "epicura/DEV-1/alert", "epicura/DEV-1/command/ack", "reefnet/DEV-1/status",
    "reefnet/DEV-1/alarm", "oht50/DEV-1/telemetry.realtime", "oht50/DEV-1/command/ack", "martlet/DEV-1/events/opened",
    "martlet/DEV-1/commands/ack",
  ]
  private static let hears = [
    "epicura/DEV-1/command/stop", "reefnet/DEV-1/control", "oht50/DEV-1/command/emergency_stop", "martlet/DEV-1/commands/open",
  ]

  private static func ofAnother(_ topics: [String]) -> [String] { topics.map { $0.replacing("DEV-1", with: "DEV-2") } }

  /// Runs `body` with the beginning of a client's command line for the device `DEV-1`.
  private func withDevice(_ body: (LocalStack, _ login: [String]) async throws -> Void) async throws {
    try await LocalStack.run(LocalStackConfiguration([.mosquitto])) { stack in
      let passwords = "\(stack.folder.path)/mosquitto/passwords"
      try await Tool.run(["mosquitto_passwd", "-b", passwords, "DEV-1", "a secret"])
      try await stack.restart("mosquitto")
      let broker = try stack.mosquitto
      try await body(stack, ["-h", broker.host, "-p", "\(broker.port)", "-u", "DEV-1", "-P", "a secret", "-q", "1"])
    }
  }

  /// The topics of the first so many retained messages that a client is given, in the order in which it subscribes.
  private func retained(_ topics: [String], first count: Int, by client: [String], _ environment: [String: String] = [:]) async throws
    -> [String]
  {
    let output = try await Tool.run(
      ["mosquitto_sub"] + client + ["-C", "\(count)", "-W", "20", "-F", "%t"] + topics.flatMap { ["-t", $0] }, environment: environment)
    return output.split(separator: "\n").map(String.init)
  }

  @Test func `A device says its own topics, and nothing of another's, nor what it is to be told itself`() async throws {
    try await withDevice { stack, login in
      let foreign = Self.ofAnother(Self.says) + Self.hears + ["consoles", "martlet/DEV-1/events", "oht50/DEV-1/deep/topic"]
      for topic in foreign + Self.says { try await Tool.run(["mosquitto_pub"] + login + ["-r", "-t", topic, "-m", "x"]) }
      let admin = try stack.mosquitto.clientEnvironment(.admin)
      #expect(try await retained(Self.says, first: Self.says.count, by: [], admin) == Self.says)
      // What had come through would come first.
      #expect(try await retained(foreign + [Self.says[0]], first: 1, by: [], admin) == [Self.says[0]])
    }
  }

  @Test func `Ingest hears what the broker had to drop, and nothing else of the broker`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.mosquitto])) { stack in
      let ingest = try stack.mosquitto.clientEnvironment(.ingest)
      let dropped = "$SYS/broker/publish/messages/dropped"
      #expect(try await retained(["$SYS/#", dropped], first: 1, by: [], ingest) == [dropped])
    }
  }

  @Test func `A device hears its own commands, and nothing of another's, nor what it says itself`() async throws {
    try await withDevice { stack, login in
      let foreign =
        Self.ofAnother(Self.hears + Self.says) + Self.says.filter { !$0.hasSuffix("/command/ack") && !$0.hasSuffix("/commands/ack") }
      for topic in foreign + Self.hears { try await stack.mosquitto.publish("-q", "1", "-r", "-t", topic, "-m", "x", user: .admin) }
      #expect(try await retained(Self.hears, first: Self.hears.count, by: login) == Self.hears)
      for own in Self.hears { #expect(try await retained(foreign + [own], first: 1, by: login) == [own]) }
      let all = try await retained(["#"], first: Self.hears.count, by: login)
      #expect(Set(all) == Set(Self.hears))
    }
  }
}
