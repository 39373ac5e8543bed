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
