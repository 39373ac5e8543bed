import Foundation
import LocalStack
import Testing

/// What a table of roles keeps from whom in the history and of commands.
@Suite(.timeLimit(.minutes(3))) struct RoleTests {
  private typealias Question = APIFixture.Question
  private static let robot = "/api/v1/appliances/OHT-1"

  private static let seed = """
    INSERT INTO appliances (id, owner_id, dialect, name) VALUES ('OHT-1', 'owner', 'oht50', 'Robot');
    INSERT INTO appliance_shares (appliance_id, user_id, role) VALUES ('OHT-1', 'cook', 'operator'), ('OHT-1', 'guest', 'viewer');
    SELECT make_event_partitions('2026-02-14', '2026-02-15');
    INSERT INTO events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data)
      SELECT timestamptz '2026-02-14T12:00:00Z' + n * interval '1 second', 0, 0, 'OHT-1',
        (ARRAY['config.updated', 'mission.started', 'telemetry.realtime'])[1 + n % 3], timestamptz '2026-02-14T12:00:00Z', false, '{}'
      FROM generate_series(0, 8) AS n;
    """
  private static let window = "from=2026-02-14T00:00:00Z&to=2026-02-15T00:00:00Z"

  private func types(_ answer: APIFixture.Answer) -> Set<String> {
    Set((answer.value("events") as? [[String: Any]] ?? []).compactMap { $0["type"] as? String })
  }

  @Test func `Viewers do not get a robot's configuration, in pages and as CSV, and may not stop it`() async throws {
    try await APIFixture.run { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed)
      let all: Set = ["config.updated", "mission.started", "telemetry.realtime"]
      for (user, expected, stops) in [
        ("guest", all.subtracting(["config.updated"]), 403), ("cook", all, 202), ("owner", all, 202), ("root", all, 202),
      ] {
        let token = try await fixture.token(user)
        let page = try await fixture.ask(Question(path: Self.robot + "/events?" + Self.window, token: token))
        #expect(types(page) == expected, "\(user)")
        let named = try await fixture.ask(Question(path: Self.robot + "/events?type=config.updated&" + Self.window, token: token))
        #expect(types(named) == expected.intersection(["config.updated"]), "\(user)")
        let csv = try await fixture.ask(Question(path: Self.robot + "/events?format=csv&" + Self.window, token: token))
        #expect(csv.status == 200 && csv.body.contains("config.updated") == expected.contains("config.updated"), "\(user)")
        let stop = try await fixture.ask(Question("POST", Self.robot + "/commands", token: token, body: #"{"type":"emergency_stop"}"#))
        #expect(stop.status == stops, "\(user): \(stop.body)")
      }
    }
  }

  private static let rows = """
    INSERT INTO alarms (appliance_id, source, name, severity, metric, raised_at, updated_at)
      VALUES ('OHT-1', 'rule:r-1', 'Hot', 'warning', '', now(), now()), ('OHT-1', 'code:c-1', 'Hot', 'warning', '', now(), now());
    INSERT INTO commands (appliance_id, command_id, type, user_id, state, issued_at, settled_at)
      VALUES ('OHT-1', 'c-1', 'emergency_stop', 'guest', 'acknowledged', now(), now()),
        ('OHT-1', 'c-2', 'emergency_stop', 'owner', 'acknowledged', now(), now());
    INSERT INTO cooking_sessions (appliance_id, session_id, started_at, updated_at) VALUES ('OHT-1', 's-1', now(), now()),
      ('OHT-1', 's-2', now(), now());
    INSERT INTO rule_firings (rule_id, appliance_id, metric, value, severity, fired_at) VALUES ('r-1', 'OHT-1', 't', 1, 'info', now()),
      ('r-1', 'OHT-1', 't', 2, 'info', now() - interval '1 second');
    INSERT INTO appliances (id, owner_id, dialect, name) VALUES ('cam-1', 'owner', 'signaling', 'Cam');
    INSERT INTO appliance_shares (appliance_id, user_id, role) VALUES ('cam-1', 'cook', 'operator'), ('cam-1', 'guest', 'viewer');
    """

  @Test func `Alarms, commands, sessions, firings and cameras' presence are for roles that get the events behind them`() async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "roles-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    let table = """
      generic viewer events * !alarm:cleared !command:sent !appliance:presence
      generic operator events * !rule:triggered
      epicura viewer events * !cooking:progress
      reefnet operator events * !reefnet:alarm
      """
    try table.write(toFile: file, atomically: true, encoding: .utf8)
    try await APIFixture.run(["MARTLET_ROLES_FILE": file]) { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed + Self.rows)
      func texts(_ path: String, _ list: String, _ member: String, _ token: String) async throws -> Set<String> {
        let answer = try await fixture.ask(Question(path: path, token: token))
        return Set((answer.value(list) as? [[String: Any]] ?? []).compactMap { $0[member] as? String })
      }
      let (both, all): (Set<String>, Set<String>) = (["rule:r-1", "code:c-1"], ["c-1", "c-2"])
      for (user, alarms, commands, sessions, firings, presence) in [
        ("guest", [], ["c-1"], [], ["r-1"], 403), ("cook", ["rule:r-1"], all, ["s-1", "s-2"], [], 200),
        ("owner", both, all, ["s-1", "s-2"], ["r-1"], 200), ("root", both, all, ["s-1", "s-2"], ["r-1"], 200),
      ] as [(String, Set<String>, Set<String>, Set<String>, Set<String>, Int)] {
        let token = try await fixture.token(user)
        for path in [Self.robot + "/alarms", "/api/v1/alarms"] {
          #expect(try await texts(path, "alarms", "source", token) == alarms, "\(user)")
        }
        #expect(try await texts(Self.robot + "/commands", "commands", "command_id", token) == commands, "\(user)")
        #expect(try await texts(Self.robot + "/sessions", "sessions", "session_id", token) == sessions, "\(user)")
        let session = try await fixture.ask(Question(path: Self.robot + "/sessions/s-1", token: token))
        #expect(session.status == (sessions.isEmpty ? 404 : 200), "\(user): \(session.body)")
        #expect(try await texts(Self.robot + "/firings", "firings", "rule_id", token) == firings, "\(user)")
        // Nor does a cursor say that there is more.
        for (list, isEmpty) in [("sessions", sessions.isEmpty), ("firings", firings.isEmpty)] {
          let page = try await fixture.ask(Question(path: Self.robot + "/\(list)?limit=1", token: token))
          #expect((page.value("next_cursor") is String) == !isEmpty, "\(user): \(page.body)")
        }
        for id in all {
          let one = try await fixture.ask(Question(path: Self.robot + "/commands/\(id)", token: token))
          #expect(one.status == (commands.contains(id) ? 200 : 404), "\(user): \(one.body)")
        }
        #expect(try await fixture.ask(Question(path: "/api/v1/appliances/cam-1/presence", token: token)).status == presence, "\(user)")
      }
      let cook = try await fixture.token("cook")
      for (source, status) in [("rule:r-1", 200), ("code:c-1", 404)] {
        let id = try await fixture.stack.postgres.query("SELECT id FROM alarms WHERE source = '\(source)'")
        let answer = try await fixture.ask(Question("POST", Self.robot + "/alarms/\(id)/acknowledge", token: cook))
        #expect(answer.status == status, "\(source): \(answer.body)")
      }
      #expect(try await fixture.stack.postgres.query("SELECT count(*) FROM alarms WHERE acknowledged_at IS NOT NULL") == "1")
    }
  }

  @Test func `A table in a file counts, and one that is wrong keeps the service from starting`() async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "roles-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    let table = """
      oht50 viewer readings * !position.*
      oht50 viewer events mission.*
      oht50 viewer commands emergency_stop
      """
    try table.write(toFile: file, atomically: true, encoding: .utf8)
    try await APIFixture.run(["MARTLET_ROLES_FILE": file]) { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed)
      let (guest, cook) = (try await fixture.token("guest"), try await fixture.token("cook"))
      let page = try await fixture.ask(Question(path: Self.robot + "/events?" + Self.window, token: guest))
      #expect(types(page) == ["mission.started"])
      for (token, metric, status) in [(guest, "position.x", 403), (guest, "sensors.battery", 200), (cook, "position.x", 200)] {
        for path in ["/readings?metric=\(metric)", "/readings/buckets?bucket_s=60&metric=\(metric)"] {
          let answer = try await fixture.ask(Question(path: Self.robot + path + "&" + Self.window, token: token))
          #expect(answer.status == status, "\(path): \(answer.body)")
        }
      }
      let stop = try await fixture.ask(Question("POST", Self.robot + "/commands", token: guest, body: #"{"type":"emergency_stop"}"#))
      #expect(stop.status == 202, "\(stop.body)")
    }
  }
}
