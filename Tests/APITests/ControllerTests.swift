import Foundation
import LocalStack
import Testing

/// Lab controllers: what they measure, their experiments, and the polling fallback of dashboards.
@Suite(.timeLimit(.minutes(3))) struct ControllerTests {
  private typealias Question = APIFixture.Question
  private static let controller = "/api/v1/appliances/LAB-1"

  private static let accounts = """
    users: [{id: owner}, {id: guest}]
    appliances:
      - {id: LAB-1, dialect: webmacs, owner: owner, shared_with: [guest]}
      - {id: LAB-2, dialect: webmacs, owner: owner, sensors: [elsewhere]}
    """

  private func run(_ body: (APIFixture, _ owner: String) async throws -> Void) async throws {
    try await APIFixture.run { fixture in
      try await fixture.stack.martletctl("apply", "-", input: Self.accounts)
      try await body(fixture, try await fixture.token("owner"))
    }
  }

  @Test func `Sensors and plugins are made, changed, listed page by page, and removed`() async throws {
    try await run { fixture, owner in
      func ask(_ method: String, _ path: String, _ body: String? = nil) async throws -> APIFixture.Answer {
        try await fixture.ask(Question(method, Self.controller + path, token: owner, body: body))
      }
      for id in ["b", "a%2Fb", "%C3%A4"] { #expect(try await ask("PUT", "/sensors/\(id)", #"{"unit":"°C"}"#).status == 200) }
      #expect(try await ask("PUT", "/sensors/b", #"{"name":"Oven","unit":"K"}"#).body == #"{"id":"b","name":"Oven","unit":"K"}"#)
      let first = try await ask("GET", "/sensors?limit=2")
      #expect(first.text("sensors.0.id") == "a/b" && first.text("sensors.1.name") == "Oven")
      let second = try await ask("GET", "/sensors?limit=2&cursor=\(first.text("next_cursor") ?? "")")
      #expect(second.text("sensors.0.id") == "ä" && second.count("sensors") == 1 && second.text("next_cursor") == nil)

      #expect(try await ask("PUT", "/plugins/p", #"{"sensor_ids":["b","a/b"],"enabled":false}"#).status == 200)
      #expect(try await ask("PUT", "/plugins/p", #"{"sensor_ids":["ä","b","b"]}"#).status == 200)
      #expect(try await ask("GET", "/plugins").body.contains(#"{"id":"p","name":"p","enabled":true,"sensor_ids":["b","ä"]}"#))
      #expect(try await ask("DELETE", "/sensors/b").status == 204)
      #expect(try await ask("GET", "/plugins").body.contains(#""sensor_ids":["ä"]"#))
      #expect(try await ask("DELETE", "/plugins/p").status == 204)
      #expect(try await ask("DELETE", "/plugins/p").code == "plugin_not_found")
      #expect(try await ask("DELETE", "/sensors/b").code == "sensor_not_found")
    }
  }

  @Test func `What cannot be is refused by name`() async throws {
    try await run { fixture, owner in
      let long = String(repeating: "x", count: 65)
      let cases: [(method: String, path: String, body: String?, code: String)] = [
        ("PUT", "/api/v1/appliances/EPIC-001/sensors/s", "{}", "wrong_dialect"),
        ("POST", "/api/v1/appliances/EPIC-001/experiments", "{}", "wrong_dialect"),
        ("PUT", Self.controller + "/sensors/elsewhere", "{}", "already_exists"),
        ("PUT", Self.controller + "/sensors/\(long)", "{}", "invalid_body"),
        ("PUT", Self.controller + "/sensors/a%0Ab", "{}", "invalid_body"),
        ("PUT", Self.controller + "/sensors/s", #"{"name":7}"#, "invalid_body"),
        ("PUT", Self.controller + "/sensors/s", #"{"nmae":"s"}"#, "invalid_body"),
        ("PUT", Self.controller + "/plugins/p", "{}", "invalid_body"),
        ("PUT", Self.controller + "/plugins/p", #"{"sensor_ids":[7]}"#, "invalid_body"),
        ("PUT", Self.controller + "/plugins/p", #"{"sensor_ids":["elsewhere"]}"#, "wrong_dialect"),
        ("POST", Self.controller + "/experiments", #"{"id":"\#(long)"}"#, "invalid_body"),
        ("POST", Self.controller + "/experiments/none/start", nil, "experiment_not_found"),
        ("DELETE", Self.controller + "/experiments/none", nil, "experiment_not_found"),
        ("GET", Self.controller + "/sensors?cursor=x", nil, "invalid_cursor"),
      ]
      for (method, path, body, code) in cases {
        let answer = try await fixture.ask(Question(method, path, token: owner, body: body))
        #expect(answer.code == code, "\(method) \(path) \(body ?? ""): \(answer.body)")
      }
    }
  }

  @Test func `One experiment of a controller is active at a time, whoever starts it`() async throws {
    try await run { fixture, owner in
      func ask(_ method: String, _ path: String, _ body: String? = nil) async throws -> APIFixture.Answer {
        try await fixture.ask(Question(method, Self.controller + "/experiments" + path, token: owner, body: body))
      }
      let made = try await ask("POST", "", #"{"name":"Without an id"}"#)
      #expect(made.status == 201 && made.text("id")?.count == 32 && made.value("started_at") is NSNull)
      for id in 0..<8 { #expect(try await ask("POST", "", #"{"id":"x-\#(id)"}"#).status == 201) }
      #expect(try await ask("POST", "", #"{"id":"x-0"}"#).code == "already_exists")
      #expect(try await ask("POST", "/x-0/stop").code == "still_in_use")
      let starts = (0..<8).map { Question("POST", Self.controller + "/experiments/x-\($0)/start", token: owner) }
      let answers = try await fixture.ask(starts, threads: 8)
      #expect(answers.count { $0.status == 200 } == 1 && answers.count { $0.code == "still_in_use" } == 7)
      let active = try #require(answers.first { $0.status == 200 }?.text("id"))
      #expect(try await ask("POST", "/\(active)/start").status == 200, "starting it again changes nothing")
      #expect(try await ask("DELETE", "/\(active)").code == "still_in_use")
      let stopped = try await ask("POST", "/\(active)/stop")
      #expect(stopped.status == 200 && stopped.text("stopped_at") != nil)
      #expect(try await ask("POST", "/\(active)/stop").text("stopped_at") == stopped.text("stopped_at"))
      #expect(try await ask("POST", "/\(active)/start").code == "still_in_use", "it is over")
      let pages = try await ask("GET", "?limit=5")
      let rest = try await ask("GET", "?limit=5&cursor=\(pages.text("next_cursor") ?? "")")
      #expect(pages.count("experiments") == 5 && rest.count("experiments") == 4)
      #expect(try await ask("DELETE", "/\(active)").status == 204)
    }
  }

  private static let readings = """
    INSERT INTO sensors (public_id, appliance_id, name, unit) VALUES ('t', 'LAB-1', 't', ''), ('p', 'LAB-1', 'p', ''), ('silent', 'LAB-1', '', '');
    INSERT INTO experiments (public_id, appliance_id, name, started_at, stopped_at)
      VALUES ('x-1', 'LAB-1', '', '2026-02-14T12:00:00Z', '2026-02-14T12:10:00Z');
    INSERT INTO readings_by_minute (appliance_id, metric, minute, count, sum, min, max, last, last_at) VALUES
      ('LAB-1', 't', '2026-02-14T12:01:00Z', 1, 1, 1, 1, 1, '2026-02-14T12:01:00Z'),
      ('LAB-1', 't', '2026-02-14T12:02:00Z', 1, 1, 1, 1, 23.5, '2026-02-14T12:02:00.123456Z'),
      ('LAB-1', 'p', '2026-02-14T12:20:00Z', 1, 1, 1, 1, 1e308, '2026-02-14T12:20:00Z'),
      ('LAB-1', 'no sensor', '2026-02-14T12:20:00Z', 1, 1, 1, 1, 1, '2026-02-14T12:20:00Z'),
      ('LAB-2', 'elsewhere', '2026-02-14T12:20:00Z', 1, 1, 1, 1, 7, '2026-02-14T12:20:00Z');
    """

  @Test func `The newest reading of each sensor is told to those who may see it, and not again to those who have it`() async throws {
    try await run { fixture, owner in
      _ = try await fixture.stack.postgres.query(Self.readings)
      let path = "/api/v1/datapoints/latest"
      let guest = try await fixture.ask(Question(path: path, token: try await fixture.token("guest")))
      #expect(
        guest.body
          == #"{"datapoints":[{"value":1e+308,"event_public_id":"p","timestamp":"2026-02-14T12:20:00.000000","experiment_public_id":null},"#
          + #"{"value":23.5,"event_public_id":"t","timestamp":"2026-02-14T12:02:00.123456","experiment_public_id":"x-1"}]}"#)
      #expect(try await fixture.ask(Question(path: path, token: owner)).count("datapoints") == 3)
      #expect(try await fixture.ask(Question(path: path, token: try await fixture.token("stranger"))).body == #"{"datapoints":[]}"#)
      #expect(try await fixture.ask(Question(path: path, token: try await fixture.token("root"))).count("datapoints") == 3)

      let tag = try #require(guest.headers["etag"])
      let known = Question(path: path, token: try await fixture.token("guest"), headers: ["If-None-Match": tag])
      let again = try await fixture.ask(known)
      #expect(again.status == 304 && again.body.isEmpty && again.headers["etag"] == tag)
      _ = try await fixture.stack.postgres.query("UPDATE readings_by_minute SET last = 24 WHERE metric = 't'")
      var answer = again
      let deadline = ContinuousClock.now + .seconds(10)
      while answer.status == 304, .now < deadline { answer = try await fixture.ask(known) }
      #expect(answer.status == 200 && answer.body.contains(#""value":24"#))
    }
  }
}
