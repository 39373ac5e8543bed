import Foundation
import LocalStack
import Testing

/// Whatever is wrong is told in one sentence that names it, with an exit status that is not 0, and nothing half done.
@Suite(.timeLimit(.minutes(5))) struct BadInputTests {
  private static let services = ["gateway", "ingest", "persister"]
  private static let programs = LocalStackConfiguration([]).executables
  /// Settings that are right in form; nobody listens at these addresses.
  private static let nowhere = [
    "MARTLET_REDIS_URL": "redis://gateway@127.0.0.1:1/0", "MARTLET_REDIS_PASSWORD": "secret-one",
    "MARTLET_POSTGRES_URL": "postgres://martlet@127.0.0.1:1/martlet", "MARTLET_POSTGRES_PASSWORD": "secret-two",
    "MARTLET_MQTT_URL": "mqtt://ingest@127.0.0.1:1", "MARTLET_MQTT_PASSWORD": "secret-three", "MARTLET_MQTT_CLIENT_ID": "ingest-1",
    "MARTLET_JWT_SECRET": "0123456789abcdef0123456789abcdef", "MARTLET_HOST": "127.0.0.1", "MARTLET_PORT": "0",
    "MARTLET_ADMIN_HOST": "127.0.0.1", "MARTLET_ADMIN_PORT": "0",
  ]

  @Test(arguments: services) func `A wrong variable is named before anything starts`(service: String) async throws {
    for (variable, value) in [("MARTLET_ADMIN_PORT", "many"), ("MARTLET_REDIS_URL", "not an address")] {
      let outcome = try await run([service], Self.nowhere.merging([variable: value]) { _, wrong in wrong })
      expectRefusal(outcome, naming: variable)
    }
  }

  @Test(arguments: services) func `A variable that nobody knows is told, with the one that was meant`(
    service: String
  ) async throws {
    let outcome = try await run([service, "--check"], Self.nowhere.merging(["MARTLET_REDIS_ULR": "x"]) { _, wrong in wrong })
    #expect(outcome.errors.contains("MARTLET_REDIS_ULR") && outcome.errors.contains("MARTLET_REDIS_URL?"))
  }

  @Test func `A server that cannot be reached is named with its address`() async throws {
    let outcome = try await run(["martletctl", "migrate"], Self.nowhere)
    expectRefusal(outcome, naming: "127.0.0.1")
  }

  @Test func `A port in use is named`() async throws {
    var configuration = LocalStackConfiguration([.redis])
    configuration.redisMemoryBytesMax = 64 << 20
    try await LocalStack.run(configuration) { stack in
      let taken = try stack.redis.port
      for service in ["gateway", "ingest", "persister"] {
        let outcome = try await run([service], Self.nowhere.merging(["MARTLET_ADMIN_PORT": String(taken)]) { _, wrong in wrong })
        expectRefusal(outcome, naming: String(taken))
      }
    }
  }

  @Test func `A wrong password is told without repeating it`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let wrong = ["MARTLET_POSTGRES_URL": try stack.postgres.url(.owner), "MARTLET_POSTGRES_PASSWORD": "not-the-password"]
      let outcome = try await run(["martletctl", "migrate"], wrong)
      expectRefusal(outcome, naming: "password")
      #expect(try await stack.postgres.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0")
    }
  }

  @Test func `A migration that was edited after it was applied is refused`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let right = ["MARTLET_POSTGRES_URL": postgres.url(.owner), "MARTLET_POSTGRES_PASSWORD": postgres.password(.owner)]
      #expect(try await run(["martletctl", "migrate"], right).exitStatus == 0)
      let table = try await postgres.query(
        "SELECT table_name, data_type FROM information_schema.columns WHERE column_name = 'checksum' AND table_schema = 'public'")
      let parts = table.split(separator: "|").map(String.init)
      let (name, type) = (try #require(parts.first), try #require(parts.last))
      _ = try await postgres.query("UPDATE \(name) SET checksum = \(type == "bytea" ? "'\\x00'::bytea" : "'00'")")
      expectRefusal(try await run(["martletctl", "migrate"], right), naming: "migration")
    }
  }

  @Test func `Accounts that are no YAML, or wrong, are refused whole`() async throws {
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1) { backbone in
      let folder = backbone.stack.folder.path
      for (text, name) in [
        ("users: [", "YAML"), ("users:\n  - id: bob\n  - name: carol\n", "users[1]"),
        ("users:\n  - id: bob\nappliances:\n  - id: 'no such id!'\n    owner: bob\n", "appliances[0]"),
        ("users:\n  - id: bob\nappliances:\n  - id: EPIC-002\n    owner: nobody\n", "nobody"),
      ] {
        let file = "\(folder)/wrong.yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let error = await #expect(throws: LocalStackError.self) { try await backbone.stack.martletctl("apply", file) }
        #expect(error?.message.contains(name) == true, "\(error?.message ?? "no error") should name \(name)")
      }
      #expect(try await backbone.stack.postgres.query("SELECT count(*) FROM users WHERE id = 'bob'") == "0")
    }
  }

  private func run(_ command: [String], _ environment: [String: String]) async throws -> Tool.Outcome {
    try await Tool.outcome(
      of: ["\(Self.programs)/\(command[0])"] + command.dropFirst(), environment: environment, limit: .seconds(60))
  }

  /// One sentence for a person: it names the thing, repeats no secret, and is not a dump.
  private func expectRefusal(_ outcome: Tool.Outcome, naming name: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let said = outcome.errors + outcome.output
    #expect(outcome.exitStatus != 0, "\(said)", sourceLocation: sourceLocation)
    #expect(outcome.exitStatus < 128, "ended by a signal: \(said)", sourceLocation: sourceLocation)
    #expect(said.contains(name), "\(said) should name \(name)", sourceLocation: sourceLocation)
    for secret in ["secret-one", "secret-two", "secret-three", "not-the-password"] {
      #expect(!said.contains(secret), sourceLocation: sourceLocation)
    }
  }
}
