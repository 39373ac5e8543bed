import Foundation
import LocalStack
import Testing

/// Every secret changes while everything runs, and no app notices.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RotationTests {
  @Test func `The JWT key and the passwords are rotated under load, without a lost event or a closed connection`() async throws {
    let load = NumberedLoad(appliances: ["ROT-1", "ROT-2"], telemetryCount: 2_400, discreteCount: 1_200)
    try await Backbone.run(appliances: load.appliances, rules: 1) { backbone in
      let rotation = try Rotation(backbone: backbone, load: load)
      let types = ["cooking:stage_change", "cooking:complete"]
      try await Subscriber.run(
        backbone.gateway(1), token: backbone.token, appliances: load.appliances, types: types, renewal: rotation.renewal
      ) { first in
        try await Subscriber.run(
          backbone.gateway(2), token: backbone.token, appliances: load.appliances, types: types, renewal: rotation.renewal
        ) { second in
          try await rotation.rotateTokenSecret(apps: [first, second])
          try await rotation.rotatePostgres()
          try await rotation.rotateRedis()
          try await rotation.checkTheDoors()

          try await load.publishEnd(to: backbone.stack.mosquitto)
          try await load.waitUntilStored(in: backbone, limit: .seconds(120))
          try await backbone.waitUntilRulesHaveRead()
          for app in [first, second] {
            let received = try await app.mailbox.wait(for: "end of every appliance", limit: .seconds(60)) { messages in
              messages.count { $0["type"]?.string == "cooking:complete" } >= load.appliances.count ? messages : nil
            }
            for appliance in load.appliances {
              let numbers = received.filter { $0["appliance_id"]?.string == appliance }.compactMap { $0["data"]?["n"]?.int }
              #expect(numbers == Array(0..<load.discreteCount), "\(appliance)")
            }
            #expect(await app.mailbox.count(ofType: "test:closed") == 0)
          }
        }
      }
    }
  }
}

/// The steps of the rotations, each while a part of the load is published.
private struct Rotation {
  private static let parts = 6
  private static let newSecret = String(repeating: "new!", count: 8)

  let backbone: Backbone
  let load: NumberedLoad
  /// Where the apps find their next token.
  let renewal: String
  private let oldSecret: String

  init(backbone: Backbone, load: NumberedLoad) throws {
    (self.backbone, self.load) = (backbone, load)
    renewal = "\(backbone.stack.folder.path)/renewal"
    oldSecret = try String(contentsOfFile: backbone.stack.folder.secretFile("jwt"), encoding: .utf8)
  }

  // MARK: The steps

  func rotateTokenSecret(apps: [Subscriber]) async throws {
    let newToken = try await token(by: Self.newSecret)
    try await during(part: 0) {
      try write("\(oldSecret)\n\(Self.newSecret)\n", to: "jwt")
      for gateway in 1...2 { try await wait(gateway, for: "connected", newToken) }
    }
    try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: load.appliances, types: ["none"]) { lazy in
      try await during(part: 1) {
        try write("\(Self.newSecret)\n\(oldSecret)\n", to: "jwt")
        try newToken.write(toFile: renewal, atomically: true, encoding: .utf8)
        for app in apps { _ = try await app.event("authenticated") }
      }
      try await during(part: 2) {
        try write("\(Self.newSecret)\n", to: "jwt")
        for gateway in 1...2 { try await wait(gateway, for: "1008 Invalid or expired token", backbone.token) }
        // Who did not renew is dealt with as one whose token was revoked.
        let closed = try await lazy.event("test:closed")["data"]
        #expect(closed?["code"]?.int == 1008 && closed?["reason"]?.string == "Token has been revoked")
      }
    }
    for gateway in 1...2 { try await wait(gateway, for: "connected", newToken) }
  }

  func rotatePostgres() async throws {
    try await during(part: 3) {
      let postgres = try backbone.stack.postgres
      for role in PostgresServer.Role.services {
        _ = try await postgres.query(
          "SELECT format('ALTER ROLE %I PASSWORD %L', rolname, 'second-password') FROM pg_roles WHERE rolname = '\(role.rawValue)' \\gexec")
      }
      // The sessions end before the files hold the new password: whoever comes back in between is refused, and tries again.
      _ = try await postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'martlet\\_%'")
      // Nor does an empty file do more than to be told of.
      for role in PostgresServer.Role.services { try write("", to: "postgres_\(role.rawValue)") }
      try await during(part: 4) {
        let isTold = try await isPasswordUnusable
        #expect(isTold)
      }
      for role in PostgresServer.Role.services { try write("second-password\n", to: "postgres_\(role.rawValue)") }
      try await backbone.waitForRow(
        "2", "SELECT count(DISTINCT usename) FROM pg_stat_activity WHERE usename IN ('martlet_persister', 'martlet_rules')")
      #expect(try await !isPasswordUnusable)
    }
  }

  private var isPasswordUnusable: Bool {
    get async throws {
      try await backbone.stack.service("gateway-1").metrics()
        .contains("\nmartlet_secret_file_unusable{variable=\"MARTLET_POSTGRES_PASSWORD_FILE\"} 1\n")
    }
  }

  func rotateRedis() async throws {
    try await during(part: 5) {
      let redis = try backbone.stack.redis
      for user in [RedisServer.User.gateway, .ingest, .persister, .rules, .api] {
        _ = try await redis.cli("ACL", "SETUSER", user.rawValue, ">second-password")
        try write("second-password\n", to: "redis_\(user.rawValue)")
        _ = try await redis.cli("ACL", "SETUSER", user.rawValue, "<\(redis.password(user))")
        _ = try await redis.cli("CLIENT", "KILL", "USER", user.rawValue)
      }
    }
  }

  /// Somebody of whom no gateway knows anything yet, and who gets a token from the API, comes in: so both are at their databases.
  func checkTheDoors() async throws {
    let stack = backbone.stack
    let accounts = "\(stack.folder.path)/bob.yaml"
    try "a-long-password".write(toFile: "\(stack.folder.path)/bob.password", atomically: true, encoding: .utf8)
    try "users:\n  - id: bob\n    password_file: bob.password\n".write(toFile: accounts, atomically: true, encoding: .utf8)
    try await stack.martletctl("apply", accounts)
    let api = try stack.service("api-1")
    let answer = try await Tool.run(
      ["curl", "-sS", "-f", "-H", "Content-Type: application/json", "-d", "@-", "http://\(api.host):\(api.port)/api/v1/auth/login"],
      input: #"{"user_id":"bob","password":"a-long-password"}"#)
    let token = try #require(try JSON(answer)["access_token"]?.string)
    for gateway in 1...2 { try await wait(gateway, for: "connected", token) }
  }

  // MARK: What they are made of

  private func during(part: Int, _ change: @Sendable () async throws -> Void) async throws {
    try await backbone.during(load, part: part, of: Self.parts, change)
  }

  /// Writes in place, as one must where the file itself is mounted.
  private func write(_ text: String, to secret: String) throws {
    try text.write(toFile: backbone.stack.folder.secretFile(secret), atomically: false, encoding: .utf8)
  }

  private func token(by secret: String) async throws -> String {
    try await Tool.run(
      ["\(backbone.stack.configuration.executables)/martletctl", "token", "--unchecked", Backbone.user],
      environment: ["MARTLET_JWT_SECRET": secret])
  }

  /// Waits until a gateway gives `answer` to whoever comes with `token`.
  private func wait(_ gateway: Int, for answer: String, _ token: String) async throws {
    let script = try Clients.path("admission.py")
    try await Tool.run(["/usr/bin/python3", script, backbone.gateway(gateway), answer], environment: ["TOKEN": token])
  }
}
