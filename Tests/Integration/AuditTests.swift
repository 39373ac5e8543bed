import Foundation
import LocalStack
import Testing

/// Who did what: each kind of thing that the audit log tells, brought about by clients that are none of ours.
@Suite(.serialized, .timeLimit(.minutes(5))) struct AuditTests {
  private static let module = "PickleHeat.Heater"

  private static let accounts = """
    users:
      - {id: alice, password_file: alice.password}
      - {id: guest}
      - {id: root, role: admin}
    appliances:
      - {id: \(module), dialect: reefnet, owner: alice, shared_with: [{user: guest, role: viewer}]}
      - {id: EPIC-001, owner: alice}
      - {id: OHT-1, dialect: oht50, owner: alice, shared_with: [{user: guest, role: viewer}]}
      - {id: LAB-1, dialect: webmacs, owner: alice}
      - {id: cam-1, dialect: signaling, owner: alice, shared_with: [{user: guest, role: viewer}]}
      - {id: cam-2, dialect: signaling, owner: alice}
    """

  private static func run(_ body: @Sendable (Backbone, _ tokens: [String: String]) async throws -> Void) async throws {
    try await Backbone.run(appliances: [], gateways: 1, signaling: 1) { backbone in
      let stack = backbone.stack
      try "a password of alice".write(toFile: "\(stack.folder.path)/alice.password", atomically: true, encoding: .utf8)
      let file = "\(stack.folder.path)/audited.yaml"
      try accounts.write(toFile: file, atomically: true, encoding: .utf8)
      try await stack.martletctl("apply", file)
      var tokens = ["USER": backbone.token, "MODULE": try await stack.martletctl("token", "--device", module)]
      tokens["CAMERA"] = try await stack.martletctl("token", "--device", "cam-1")
      for (name, user) in [("GUEST", "guest"), ("ROOT", "root")] { tokens[name] = try await stack.martletctl("token", user) }
      try await body(backbone, tokens)
    }
  }

  private static func client(_ arguments: [String], _ tokens: [String: String]) async throws {
    _ = try await Tool.run(["/usr/bin/python3", Clients.path("audited.py")] + arguments, environment: tokens, limit: .seconds(120))
  }

  private static func count(_ conditions: String) -> String { "SELECT coalesce(sum(count), 0) > 0 FROM audit_log WHERE \(conditions)" }

  @Test func `Whatever somebody does leaves its line, with who and from where, and no token in it`() async throws {
    try await Self.run { backbone, tokens in
      let (stack, api) = (backbone.stack, try backbone.stack.service("api-1"))
      let gateway = String(try backbone.gateway(1).dropLast("/ws".count))
      let signaling = try stack.service("signaling-1")
      try await Self.client(
        ["all", gateway, "ws://\(signaling.host):\(signaling.port)", "http://\(api.host):\(api.port)"], tokens)
      let lines = [
        // Connections, of apps and of devices, and their ends.
        "service = 'gateway' AND action = 'connection.opened' AND user_id = 'alice' AND address = '127.0.0.1' AND detail = '/ws'",
        "service = 'gateway' AND action = 'connection.opened' AND appliance_id = '\(Self.module)' AND user_id IS NULL",
        "service = 'gateway' AND action = 'connection.closed' AND user_id = 'alice' AND detail LIKE '/ws: 1000%'",
        "service = 'signaling' AND action = 'connection.opened' AND user_id = 'alice'",
        // Refusals.
        "service = 'gateway' AND action = 'authentication' AND result = 'refused' AND detail = '/ws: Invalid or expired token'",
        "service = 'gateway' AND action = 'authentication' AND result = 'refused' AND detail LIKE '/ws/controller/telemetry: %'",
        "service = 'gateway' AND action = 'authentication' AND result = 'refused' AND detail LIKE '/ws/datapoints/stream: %'",
        "service = 'gateway' AND action = 'authentication' AND result = 'refused' AND detail LIKE '/ws/reefnet: %'",
        "service = 'gateway' AND action = 'authentication' AND result = 'refused' AND detail LIKE '/ws/telemetry: %'",
        "service = 'signaling' AND action = 'authentication' AND result = 'refused' AND detail LIKE '/ws/viewer: %'",
        "service = 'signaling' AND action = 'authentication' AND result = 'refused' AND appliance_id = 'cam-1'",
        "service = 'api' AND action = 'authentication' AND result = 'refused' AND detail = 'listAppliances: invalid_token'",
        "service = 'api' AND action = 'request' AND result = 'refused' AND user_id = 'guest' AND detail = 'listUsers: not_permitted'",
        "service = 'api' AND action = 'login' AND result = 'done' AND user_id = 'alice' AND address = '127.0.0.1'",
        "service = 'api' AND action = 'login' AND result = 'refused' AND user_id = 'alice' AND detail = 'invalid_credentials'",
        // Subscriptions.
        "action = 'subscription.begun' AND result = 'done' AND user_id = 'alice' AND appliance_id = 'EPIC-001'",
        "action = 'subscription.begun' AND result = 'refused' AND user_id = 'guest' AND appliance_id = 'EPIC-001'",
        "action = 'subscription.ended' AND user_id = 'alice' AND appliance_id = 'EPIC-001'",
        "action = 'subscription.begun' AND user_id = 'alice' AND appliance_id = '\(Self.module)' AND detail = '/ws/reefnet'",
        "action = 'subscription.begun' AND user_id = 'alice' AND appliance_id = 'OHT-1'",
        // Watch sessions: begun, refused, and ended by their viewer, by somebody else through the API, and with their connection.
        "service = 'signaling' AND action = 'subscription.begun' AND result = 'done' AND user_id = 'alice' AND appliance_id = 'cam-1' AND detail LIKE '/ws/viewer: watch session %'",
        "service = 'signaling' AND action = 'subscription.ended' AND user_id = 'alice' AND appliance_id = 'cam-1' AND detail LIKE '/ws/viewer: watch session %'",
        "action = 'subscription.begun' AND result = 'failed' AND user_id = 'alice' AND appliance_id = 'cam-2' AND detail = '/ws/viewer: Device is offline'",
        "action = 'subscription.begun' AND result = 'refused' AND user_id = 'guest' AND appliance_id = 'cam-2' AND detail = '/ws/viewer: Device not found'",
        "action = 'subscription.begun' AND result = 'refused' AND user_id = 'alice' AND appliance_id = 'cam-1' AND detail = '/ws/viewer: Too many watch requests'",
        "service = 'signaling' AND action = 'request' AND result = 'refused' AND user_id = 'guest' AND appliance_id = 'cam-1' AND detail LIKE '%another user%'",
        "service = 'api' AND action = 'request' AND result = 'refused' AND user_id = 'guest' AND appliance_id = 'cam-1' AND detail LIKE 'watch session %another user%'",
        "service = 'api' AND action = 'subscription.ended' AND result = 'done' AND user_id = 'alice' AND appliance_id = 'cam-1' AND address = '127.0.0.1' AND detail LIKE 'watch session % of guest'",
        // Commands, and what became of them.
        "action = 'command.requested' AND result = 'refused' AND user_id = 'guest' AND appliance_id = 'OHT-1' AND detail LIKE '%emergency_stop: NOT_PERMITTED'",
        "action = 'command.requested' AND result = 'done' AND user_id = 'alice' AND appliance_id = 'OHT-1' AND detail LIKE '%emergency_stop'",
        "action = 'command.requested' AND result = 'done' AND user_id = 'alice' AND command_id IS NOT NULL AND detail = '/ws/reefnet: reefnet:ping'",
        "action = 'command.settled' AND result = 'done' AND user_id = 'alice' AND detail = 'reefnet:ping'",
        "action = 'command.requested' AND result = 'refused' AND user_id = 'guest' AND detail = '/ws/reefnet: reefnet:set_param: NOT_PERMITTED'",
        "action = 'command.requested' AND result = 'refused' AND user_id = 'guest' AND appliance_id = 'EPIC-001' AND detail LIKE '/ws/reefnet: control%'",
        "action = 'command.requested' AND result = 'failed' AND user_id = 'alice' AND detail = '/ws: cooking:pause: APPLIANCE_OFFLINE'",
        "service = 'api' AND action = 'command.requested' AND user_id = 'alice' AND detail = 'cooking:stop'",
        "action = 'command.settled' AND result = 'failed' AND detail LIKE 'cooking:pause: APPLIANCE_OFFLINE'",
        // Changes.
        "service = 'api' AND action = 'configuration.changed' AND user_id = 'alice' AND address = '127.0.0.1' AND detail = 'appliances changed: EPIC-001 (name)'",
        "service = 'api' AND action = 'configuration.changed' AND user_id = 'root' AND detail = 'users changed: guest (role = operator)'",
        "service = 'api' AND action = 'configuration.changed' AND user_id = 'alice' AND appliance_id = 'EPIC-001' AND detail LIKE 'device_credentials added: EPIC-001%'",
        "service = 'database' AND action = 'configuration.changed' AND user_id IS NULL AND detail LIKE 'users added: alice (role = viewer), by the database role % with martletctl%'",
        "service = 'database' AND detail LIKE 'user_passwords added: alice, by %'",
      ]
      for line in lines { try await backbone.waitForRow("t", Self.count(line)) }
      try await backbone.waitForRow(
        "subscription.begun 2, subscription.ended 2",
        """
        SELECT string_agg(action || ' ' || total, ', ' ORDER BY action) FROM (
          SELECT action, sum(count) AS total FROM audit_log
          WHERE service = 'signaling' AND user_id = 'guest' AND appliance_id = 'cam-1' AND result = 'done' GROUP BY action
        ) AS totals
        """)
      let all = try await stack.postgres.query("SELECT string_agg(audit_log::text, '') FROM audit_log")
      for secret in Array(tokens.values) + [
        "a password of alice", "a wrong password", "not.a.token", "scrypt$", String(repeating: "w", count: 43),
      ] {
        #expect(!all.contains(secret))
      }
      try await Self.checkReading(backbone, tokens)
    }
  }

  /// By the API and the command line.
  private static func checkReading(_ backbone: Backbone, _ tokens: [String: String]) async throws {
    let api = try backbone.stack.service("api-1")
    let base = "http://\(api.host):\(api.port)/api/v1/audit"
    func ask(_ query: String, _ token: String = "ROOT") async throws -> JSON {
      let output = try await Tool.run(
        ["/usr/bin/curl", "-s", "-H", "Authorization: Bearer \(try #require(tokens[token]))", base + query], limit: .seconds(30))
      return try JSON(output)
    }
    #expect(try await ask("", "USER")["code"]?.string == "not_permitted")
    // More may come meanwhile: a summary, or the word that a connection is closed.
    let present = try await backbone.stack.postgres.query("SELECT string_agg(id::text, ' ') FROM audit_log WHERE user_id = 'alice'")
    var (numbers, query) = ([Int](), "?user_id=alice&limit=3")
    for _ in 0..<200 {
      let page = try await ask(query)
      let entries = page["entries"]?.elements ?? []
      #expect(entries.allSatisfy { $0["user_id"]?.string == "alice" })
      numbers += entries.compactMap { $0["number"]?.int }
      guard let next = page["next_cursor"]?.string else { break }
      query = "?user_id=alice&limit=3&cursor=\(next)"
    }
    #expect(Set(numbers).count == numbers.count)
    #expect(Set(numbers).isSuperset(of: present.split(separator: " ").compactMap { Int($0) }) && numbers.count > 3)
    let filtered = try await ask("?action=command.requested&appliance_id=\(module)&result=refused&from=2020-01-01T00:00:00Z")
    #expect(filtered["entries"]?.elements.isEmpty == false)
    let table = try await Tool.run(
      ["\(LocalStackConfiguration([]).executables)/martletctl", "audit", "log", "--action", "login", "--user", "alice"],
      environment: ["MARTLET_API_TOKEN": try #require(tokens["ROOT"]), "MARTLET_API_URL": "http://\(api.host):\(api.port)/api"],
      limit: .seconds(30))
    #expect(table.contains("RESULT") && table.contains("login") && table.contains("refused") && table.contains("127.0.0.1"))
  }

  @Test func `No service's role can change or remove a line, and only the old is ever forgotten`() async throws {
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1) { backbone in
      let postgres = try backbone.stack.postgres
      for role in ["martlet_gateway", "martlet_persister", "martlet_api", "martlet_signaling", "martlet_rules"] {
        for statement in ["UPDATE audit_log SET detail = ''", "DELETE FROM audit_log", "TRUNCATE audit_log", "SELECT note_change()"] {
          await #expect(throws: LocalStackError.self, "\(role): \(statement)") {
            _ = try await postgres.query("SET ROLE \(role); \(statement)")
          }
        }
      }
      _ = try await postgres.query(
        "INSERT INTO audit_log (at, service, action, result, detail) VALUES (now() - interval '40 days', 'test', 'login', 'done', 'old')")
      await #expect(throws: LocalStackError.self) {
        _ = try await postgres.query("SET ROLE martlet_persister; SELECT forget_audit_log(29)")
      }
      #expect(try await postgres.query("SELECT count(*) FROM audit_log WHERE detail = 'old'") == "1")
      _ = try await postgres.query("SET ROLE martlet_persister; SELECT forget_audit_log(30)")
      #expect(try await postgres.query("SELECT count(*) FROM audit_log WHERE detail = 'old'") == "0")
      #expect(try await postgres.query("SELECT count(*) > 0 FROM audit_log") == "t")
    }
  }

  @Test func `A flood of refusals leaves few lines, and what they stand for is counted`() async throws {
    try await Self.run { backbone, tokens in
      let gateway = String(try backbone.gateway(1).dropLast("/ws".count))
      try await Self.client(["flood", gateway, "300"], tokens)
      // What was held is told when the service stops at the latest.
      try await backbone.stack.stop("gateway-1")
      try await backbone.waitForRow("300", "SELECT sum(count) FROM audit_log WHERE service = 'gateway' AND action = 'authentication'")
      let rows = try await backbone.stack.postgres.query("SELECT count(*) FROM audit_log WHERE action = 'authentication'")
      #expect(Int(rows) ?? .max <= 22)
    }
  }
}
