import Foundation
import LocalStack
import Testing

/// Who may do what: each operation of the document, asked by everyone there can be.
@Suite(.timeLimit(.minutes(5))) struct MatrixTests {
  private typealias Question = APIFixture.Question

  /// What each asks, and the status for the owner, one it is shared with as operator, as viewer, a stranger, and an admin.
  private struct Row: Sendable {
    let operation: String
    let method: String
    let path: String
    var body: String?
    let statuses: [Int]

    init(_ operation: String, _ method: String, _ path: String, _ body: String, _ statuses: [Int]) {
      (self.operation, self.method, self.path, self.body, self.statuses) = (operation, method, path, body, statuses)
    }

    init(_ operation: String, _ method: String, _ path: String, _ statuses: [Int]) {
      (self.operation, self.method, self.path, self.statuses) = (operation, method, path, statuses)
    }

    /// - Parameters:
    ///   - user: stands for `%` in the path and the body.
    ///   - place: the user's among `users`, for `#` in the path.
    func question(of user: String, place: Int, token: String? = nil) -> Question {
      Question(
        method, path.replacing("%", with: user).replacing("#", with: "\(place)"), token: token, body: body?.replacing("%", with: user))
    }
  }

  private static let users = ["owner", "cook", "guest", "stranger", "root"]
  private static let appliance = "/api/v1/appliances/EPIC-001"
  private static let controller = "/api/v1/appliances/LAB-1"
  private static let everyone = [200, 200, 200, 404, 200]

  /// A session in which `guest` watched.
  private static let watch = "550e8400-e29b-41d4-a716-446655440000"

  /// A webhook of `owner`, with one delivery.
  private static let webhookID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
  private static let webhook = "/api/v1/webhooks/" + webhookID
  private static let onlyOwner = [200, 404, 404, 404, 200]
  /// Five more of `owner`, by their last digits.
  private static let webhooks = "6ba7b810-9dad-41d1-80b4-00c04fd430d"

  /// What is taken away is each time another, so that whoever may take it has it before. What is taken from all stands last.
  private static let rows = [
    Row("listUsers", "GET", "/api/v1/users", [403, 403, 403, 403, 200]),
    Row("createUser", "POST", "/api/v1/users", #"{"id":"new-%"}"#, [403, 403, 403, 403, 201]),
    Row("getUser", "GET", "/api/v1/users/other", [404, 404, 404, 404, 200]),
    Row("changeUser", "PATCH", "/api/v1/users/other", #"{"name":"Other"}"#, [404, 404, 404, 404, 200]),
    Row("revokeTokens", "DELETE", "/api/v1/users/other/tokens", [404, 404, 404, 404, 204]),
    Row("listAppliances", "GET", "/api/v1/appliances", [200, 200, 200, 200, 200]),
    Row("createAppliance", "POST", "/api/v1/appliances", #"{"id":"NEW-%","owner_id":"other"}"#, [403, 403, 403, 403, 201]),
    Row("getAppliance", "GET", appliance, everyone),
    Row("changeAppliance", "PATCH", appliance, #"{"name":"Kitchen"}"#, [200, 403, 403, 404, 200]),
    Row("makeSecret", "POST", appliance + "/secret", [201, 403, 403, 404, 201]),
    Row("listShares", "GET", appliance + "/shares", [200, 403, 403, 404, 200]),
    Row("share", "PUT", appliance + "/shares/friend-#", #"{"role":"viewer"}"#, [200, 403, 403, 404, 200]),
    Row("unshare", "DELETE", appliance + "/shares/friend-#", [204, 403, 403, 404, 204]),
    Row("listEvents", "GET", appliance + "/events", everyone),
    Row("listReadings", "GET", appliance + "/readings?metric=temperature", everyone),
    Row("listBuckets", "GET", appliance + "/readings/buckets?metric=temperature&bucket_s=60", everyone),
    Row("listMetrics", "GET", appliance + "/metrics", everyone),
    Row("listSessions", "GET", appliance + "/sessions", everyone),
    Row("getSession", "GET", appliance + "/sessions/s-1", everyone),
    Row(
      "sendCommand", "POST", appliance + "/commands", #"{"type":"cooking:start","data":{"recipe_id":"r-1"}}"#, [202, 202, 403, 404, 202]),
    Row("sendCommand", "POST", appliance + "/commands", #"{"type":"cooking:stop"}"#, [202, 202, 202, 404, 202]),
    Row("listCommands", "GET", appliance + "/commands", everyone),
    Row("getCommand", "GET", appliance + "/commands/c-1", everyone),
    Row("listAllWatches", "GET", "/api/v1/watches", [403, 403, 403, 403, 200]),
    Row("listWatches", "GET", appliance + "/watches", everyone),
    Row("getWatch", "GET", appliance + "/watches/" + watch, [200, 404, 200, 404, 200]),
    Row("endWatch", "DELETE", appliance + "/watches/" + watch, [202, 404, 202, 404, 202]),
    Row("getPresence", "GET", "/api/v1/appliances/cam-1/presence", everyone),
    Row("listWebhooks", "GET", "/api/v1/webhooks", [200, 200, 200, 200, 200]),
    Row(
      "createWebhook", "POST", "/api/v1/webhooks", #"{"name":"new-%","url":"https://receiver.example.com/"}"#, [201, 201, 201, 201, 201]),
    Row("getWebhook", "GET", webhook, onlyOwner),
    Row("changeWebhook", "PATCH", webhook, #"{"name":"Mine"}"#, onlyOwner),
    Row("rotateWebhookSecret", "POST", webhook + "/secret", [201, 404, 404, 404, 201]),
    Row("testWebhook", "POST", webhook + "/test", [202, 404, 404, 404, 202]),
    Row("listDeliveries", "GET", webhook + "/deliveries", onlyOwner),
    Row("getDelivery", "GET", webhook + "/deliveries/1", onlyOwner),
    Row("retryDelivery", "POST", webhook + "/deliveries/1/retry", [202, 404, 404, 404, 202]),
    Row("replayDeliveries", "POST", webhook + "/replay", #"{"since":"2020-01-01T00:00:00Z"}"#, [202, 404, 404, 404, 202]),
    Row("deleteWebhook", "DELETE", "/api/v1/webhooks/\(webhooks)#", [204, 404, 404, 404, 204]),
    Row("latestDatapoints", "GET", "/api/v1/datapoints/latest", [200, 200, 200, 200, 200]),
    Row("listSensors", "GET", controller + "/sensors", everyone),
    Row("putSensor", "PUT", controller + "/sensors/s-%", #"{"name":"Oven"}"#, [200, 403, 403, 404, 200]),
    Row("listPlugins", "GET", controller + "/plugins", everyone),
    Row("putPlugin", "PUT", controller + "/plugins/p-%", #"{"sensor_ids":["s-%"]}"#, [200, 403, 403, 404, 200]),
    Row("deletePlugin", "DELETE", controller + "/plugins/p-%", [204, 403, 403, 404, 204]),
    Row("deleteSensor", "DELETE", controller + "/sensors/s-%", [204, 403, 403, 404, 204]),
    Row("listExperiments", "GET", controller + "/experiments", everyone),
    Row("createExperiment", "POST", controller + "/experiments", #"{"id":"new-%"}"#, [201, 201, 403, 404, 201]),
    Row("getExperiment", "GET", controller + "/experiments/x-1", everyone),
    Row("startExperiment", "POST", controller + "/experiments/x-1/start", [200, 200, 403, 404, 200]),
    Row("stopExperiment", "POST", controller + "/experiments/x-1/stop", [200, 200, 403, 404, 200]),
    Row("deleteExperiment", "DELETE", controller + "/experiments/new-%", [204, 403, 403, 404, 204]),
    Row("createRule", "POST", "/api/v1/rules", #"{"id":"new-%","when":{"no_data_seconds":60}}"#, [403, 403, 403, 403, 201]),
    Row("validateRule", "POST", "/api/v1/rules/validate", #"{"id":"r","when":{"no_data_seconds":60}}"#, [403, 403, 403, 403, 204]),
    Row(
      "backtestRule", "POST", "/api/v1/rules/backtest?appliance_id=EPIC-001&from=2026-02-14T00:00:00Z",
      #"{"id":"r","when":{"no_data_seconds":60}}"#, [403, 403, 403, 403, 200]),
    Row("listRules", "GET", "/api/v1/rules", [403, 403, 403, 403, 200]),
    Row("getRule", "GET", "/api/v1/rules/r-1", [403, 403, 403, 403, 200]),
    Row("replaceRule", "PUT", "/api/v1/rules/r-1", #"{"id":"r-1","when":{"no_data_seconds":60}}"#, [403, 403, 403, 403, 200]),
    Row("listFirings", "GET", appliance + "/firings", everyone),
    Row("listAllAlarms", "GET", "/api/v1/alarms", [200, 200, 200, 200, 200]),
    Row("listAlarms", "GET", appliance + "/alarms", everyone),
    Row("acknowledgeAlarm", "POST", appliance + "/alarms/1/acknowledge", [200, 200, 403, 404, 200]),
    Row("listAudit", "GET", "/api/v1/audit?limit=5", [403, 403, 403, 403, 200]),
    Row("deleteRule", "DELETE", "/api/v1/rules/r-1", [403, 403, 403, 403, 204]),
    Row("deleteUser", "DELETE", "/api/v1/users/gone", [403, 403, 403, 403, 204]),
    Row("deleteAppliance", "DELETE", appliance, [403, 403, 403, 404, 204]),
    Row("logout", "POST", "/api/v1/auth/logout", [204, 204, 204, 204, 204]),
  ]

  /// Those that anyone may do, and the login tests show.
  private static let open = ["login", "refresh", "getOpenAPI", "getDocs"]

  private static let seed = """
    INSERT INTO users (id, name) VALUES ('other', 'Other'), ('gone', 'Gone'), ('leaver', 'Leaver');
    INSERT INTO users (id, name) SELECT 'friend-' || n, 'Friend' FROM generate_series(0, 4) n;
    INSERT INTO webhooks (id, owner_id, name, url, event_types, appliance_ids, in_flight_max)
      SELECT ('\(webhooks)' || n)::uuid, 'owner', 'Hook ' || n, 'https://receiver.example.com/', '{}', '{}', 4 FROM generate_series(0, 4) n;
    INSERT INTO cooking_sessions (appliance_id, session_id, started_at, updated_at) VALUES ('EPIC-001', 's-1', now(), now());
    INSERT INTO commands (appliance_id, command_id, type, state, issued_at, settled_at)
      VALUES ('EPIC-001', 'c-1', 'cooking:stop', 'acknowledged', now(), now());
    INSERT INTO watch_sessions (id, appliance_id, user_id, started_at) VALUES ('\(watch)', 'EPIC-001', 'guest', now());
    INSERT INTO webhooks (id, owner_id, name, url, event_types, appliance_ids, in_flight_max)
      VALUES ('\(webhookID)', 'owner', 'Hook', 'https://receiver.example.com/', '{}', '{}', 4);
    INSERT INTO webhook_messages (id, type, body) VALUES ('\(webhookID)', 'webhook.test', '{}');
    INSERT INTO webhook_deliveries (webhook_id, message_id, lane) VALUES ('\(webhookID)', '\(webhookID)', 0);
    INSERT INTO rules (id, definition) VALUES ('r-1', '{"id":"r-1","when":{"no_data_seconds":60}}');
    INSERT INTO rule_firings (rule_id, appliance_id, metric, value, severity, fired_at) VALUES ('r-1', 'EPIC-001', 't', 1, 'info', now());
    INSERT INTO alarms (appliance_id, source, name, severity, metric, raised_at, updated_at)
      VALUES ('EPIC-001', 'rule:r-1', 'Silent', 'warning', '', now(), now());
    INSERT INTO appliances (id, owner_id, dialect, name) VALUES ('cam-1', 'owner', 'signaling', 'Cam');
    INSERT INTO appliances (id, owner_id, dialect, name) VALUES ('LAB-1', 'owner', 'webmacs', 'Lab');
    INSERT INTO appliance_shares (appliance_id, user_id, role) VALUES ('cam-1', 'cook', 'operator'), ('cam-1', 'guest', 'viewer'),
      ('LAB-1', 'cook', 'operator'), ('LAB-1', 'guest', 'viewer');
    INSERT INTO experiments (public_id, appliance_id, name) VALUES ('x-1', 'LAB-1', 'First');
    """

  @Test func `Everyone may do what is theirs and nothing else`() async throws {
    try await APIFixture.run { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed)
      let document = try await fixture.ask(Question(path: "/api/openapi.json"))
      let paths = try #require(document.value("paths") as? [String: [String: [String: Any]]])
      let operations = Set(paths.values.flatMap { $0.values.compactMap { $0["operationId"] as? String } })
      #expect(operations == Set(Self.rows.map(\.operation) + Self.open), "no cell is untested")

      var questions: [Question] = []
      var expected: [(row: Row, user: String, status: Int)] = []
      let tokens = try await tokens(fixture)
      for row in Self.rows {
        for (place, (user, status)) in zip(Self.users, row.statuses).enumerated() {
          questions.append(row.question(of: user, place: place, token: tokens[user]))
          expected.append((row, user, status))
        }
      }
      for (answer, (row, user, status)) in zip(try await fixture.ask(questions), expected) {
        #expect(answer.status == status, "\(user): \(row.method) \(row.path) \(row.body ?? ""): \(answer.body.prefix(300))")
      }
    }
  }

  @Test func `Whoever has no valid token may do nothing, and learns only that`() async throws {
    try await APIFixture.run { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed)
      let now = Int(Date.now.timeIntervalSince1970)
      let good: [String: any Sendable] = ["sub": "owner", "iat": now, "exp": now + 600, "jti": "j-1", "iss": APIFixture.issuer]
      func jwt(_ algorithm: String, _ changes: [String: any Sendable] = [:], secret: String? = nil) -> (Question) -> Question {
        { question in
          var question = question
          question.jwt = (algorithm, good.merging(changes) { $1 }, secret)
          return question
        }
      }
      func bearing(_ token: String?) -> (Question) -> Question {
        { question in
          var question = question
          question.token = token
          return question
        }
      }
      let revoked = try await fixture.token("cook")
      #expect(try await fixture.ask(Question("POST", "/api/v1/auth/logout", token: revoked)).status == 204)
      let deleted = try await fixture.token("leaver")
      let deletion = Question("DELETE", "/api/v1/users/leaver", token: try await fixture.token("root"))
      #expect(try await fixture.ask(deletion).status == 204)
      let strangers: [(name: String, code: String, ask: (Question) -> Question)] = [
        ("nobody", "authentication_required", bearing(nil)), ("nonsense", "invalid_token", bearing("nonsense")),
        ("expired", "invalid_token", jwt("HS256", ["exp": now - 600, "iat": now - 1200])),
        ("not yet valid", "invalid_token", jwt("HS256", ["nbf": now + 600])),
        ("revoked", "token_revoked", bearing(revoked)),
        ("deleted", "account_gone", bearing(deleted)), ("never there", "account_gone", jwt("HS256", ["sub": "was-never-here"])),
        ("wrong issuer", "invalid_token", jwt("HS256", ["iss": "https://elsewhere.example.org"])),
        ("wrong algorithm", "invalid_token", jwt("HS512")), ("no algorithm", "invalid_token", jwt("none")),
        ("wrong secret", "invalid_token", jwt("HS256", secret: "another secret of more than thirty-two bytes")),
        ("a device", "invalid_token", jwt("HS256", ["use": "device", "sub": "EPIC-001"])),
      ]
      let control = try await fixture.ask(jwt("HS256", [:])(Question(path: "/api/v1/users/me")))
      #expect(control.status == 200, "the same token without a fault is good: \(control.body)")
      for stranger in strangers {
        let questions = Self.rows.map { stranger.ask($0.question(of: "x", place: 0)) }
        for (row, answer) in zip(Self.rows, try await fixture.ask(questions)) {
          #expect(
            answer.status == 401 && answer.code == stranger.code, "\(stranger.name): \(row.operation): \(answer.status) \(answer.body)")
          #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
        }
      }
    }
  }

  @Test func `An appliance that is not theirs answers a stranger exactly as one that does not exist`() async throws {
    try await APIFixture.run { fixture in
      let token = try await fixture.token("stranger")
      for row in Self.rows where row.path.hasPrefix(Self.appliance) {
        let question = row.question(of: "x", place: 0)
        let answers = try await fixture.ask(
          ["EPIC-001", "NONE-001", "no%20id%00"].map {
            Question(row.method, question.path.replacing("EPIC-001", with: $0), token: token, body: question.body)
          })
        #expect(Set(answers.map(\.body)).count == 1 && Set(answers.map(\.status)) == [404], "\(row.operation)")
        #expect(answers[0].code == "appliance_not_found")
      }
    }
  }

  /// A token for each, made by the command line.
  private func tokens(_ fixture: APIFixture) async throws -> [String: String] {
    var tokens: [String: String] = [:]
    for user in Self.users { tokens[user] = try await fixture.token(user) }
    return tokens
  }
}
