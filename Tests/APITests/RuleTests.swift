import Foundation
import LocalStack
import Testing

/// Rules, what fired, and alarms.
@Suite(.timeLimit(.minutes(3))) struct RuleTests {
  private typealias Question = APIFixture.Question

  @Test func `A rule is added once, replaced, listed and removed, with the text that was given`() async throws {
    try await APIFixture.run { fixture in
      let root = try await fixture.token("root")
      func ask(_ method: String, _ path: String, _ body: String? = nil) async throws -> APIFixture.Answer {
        try await fixture.ask(Question(method, "/api/v1/rules" + path, token: root, body: body))
      }
      let text = #"{"id":"hot", "appliances":["EPIC-001"], "when":{"metric":"temperature","operator":">","value":200.50}}"#
      let created = try await ask("POST", "", text)
      #expect(created.status == 201 && created.body == text && created.headers["location"] == "/api/v1/rules/hot")
      #expect(try await ask("POST", "", text).code == "already_exists")
      #expect(try await ask("PUT", "/hot", #"{"id":"hot","when":{"no_data_seconds":5}}"#).status == 200)
      #expect(try await ask("PUT", "/cold", #"{"id":"cold","when":{"no_data_seconds":5}}"#).status == 200)
      #expect(try await ask("PUT", "/other", #"{"id":"hot","when":{"no_data_seconds":5}}"#).text("errors.0.place") == "/id")
      let first = try await ask("GET", "?limit=1")
      #expect(first.text("rules.0.id") == "cold")
      let second = try await ask("GET", "?limit=1&cursor=\(first.text("next_cursor") ?? "")")
      #expect(second.text("rules.0.id") == "hot" && second.text("next_cursor") == nil)
      #expect(try await ask("DELETE", "/hot").status == 204)
      #expect(try await ask("DELETE", "/hot").code == "rule_not_found")
      #expect(try await ask("GET", "/hot").code == "rule_not_found")
      #expect(try await ask("GET", "/none%00").code == "rule_not_found")
      #expect(try await ask("DELETE", "/none%00").code == "rule_not_found")

      let race = Question("POST", "/api/v1/rules", token: root, body: #"{"id":"once","when":{"no_data_seconds":5}}"#)
      let answers = try await fixture.ask(Array(repeating: race, count: 20), threads: 10)
      #expect(answers.count { $0.status == 201 } == 1 && answers.count { $0.code == "already_exists" } == 19)
    }
  }

  @Test func `What is wrong with a rule is named by its place`() async throws {
    try await APIFixture.run { fixture in
      let root = try await fixture.token("root")
      let cases = [
        (#"{"id":"r","when":{"metric":"t","operator":">","value":5,"clear":6}}"#, "/when/clear", "contradicts"),
        (#"{"id":"r","when":{"metric":"t","operator":"between","low":5,"high":4}}"#, "/when/low", "less than"),
        (#"{"id":"r","when":{"metric":"t","operator":">","value":1e309}}"#, "/when/value", "double"),
        (#"{"id":"r","when":{"metric":"t","operator":">","value":"NaN"}}"#, "/when/value", "number"),
        (#"{"id":"r","when":{"metric":"t","operator":">"}}"#, "/when/value", "missing"),
        (#"{"id":"r","when":{"metric":"t","operator":">","value":1,"clera":0}}"#, "/when/clera", "not known"),
        (#"{"id":"r","when":{"event":"a","where":[{"field":"f","operator":"~","value":"x"}]}}"#, "/when/where/0/operator", "=="),
        (#"{"id":"a b","when":{"no_data_seconds":5}}"#, "/id", "1 to 64"),
        (#"{"id":"r","appliances":["*","EPIC-404"],"when":{"no_data_seconds":5}}"#, "/appliances/1", "EPIC-404"),
        (#"{"id":"r","dialects":["webmacs"],"when":{"metric":"no-sensor","operator":">","value":5}}"#, "/when/metric", "no-sensor"),
        (#"{"id":"r","appliances":["a\u0001"],"when":{"no_data_seconds":5}}"#, "/appliances/0", "control"),
        (#"{"id":"r","severity":"loud","when":{"no_data_seconds":5}}"#, "/severity", "one of"),
        (#"{"id":"r"}"#, "/when", "missing"),
      ]
      let questions = cases.flatMap { body, _, _ in
        ["/api/v1/rules", "/api/v1/rules/validate"].map { Question("POST", $0, token: root, body: body) }
      }
      let answers = try await fixture.ask(questions)
      for (index, (body, place, words)) in cases.enumerated() {
        for answer in answers[(2 * index)...(2 * index + 1)] {
          #expect(answer.status == 422 && answer.text("errors.0.place") == place, "\(body): \(answer.body)")
          #expect(answer.text("errors.0.detail")?.contains(words) == true, "\(body): \(answer.body)")
        }
      }
      #expect(try await fixture.ask(Question(path: "/api/v1/rules", token: root)).count("rules") == 0)
    }
  }

  @Test func `A draft is tried over stored events, at one appliance that it concerns`() async throws {
    try await APIFixture.run { fixture in
      _ = try await fixture.stack.postgres.query(
        """
        SELECT make_event_partitions('2026-02-14', '2026-02-14');
        INSERT INTO events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data)
        SELECT timestamptz '2026-02-14T12:00:00Z' + n * interval '1 s', 0, 0, 'EPIC-001', 'telemetry',
          timestamptz '2026-02-14T12:00:00Z' + n * interval '1 s', false, json_build_object('t', n % 100)
        FROM generate_series(0, 299) AS n;
        """)
      let root = try await fixture.token("root")
      func ask(_ query: String, _ when: String, _ more: String = "") async throws -> APIFixture.Answer {
        let body = #"{"id":"draft","enabled":false,"when":\#(when)\#(more)}"#
        return try await fixture.ask(Question("POST", "/api/v1/rules/backtest?" + query, token: root, body: body))
      }
      let hot = #"{"metric":"t","operator":">","value":80}"#
      let window = "appliance_id=EPIC-001&from=2026-02-14T12:01:00Z&to=2026-02-14T12:04:00Z"
      let found = try await ask(window, hot)
      #expect(found.status == 200 && found.count("firings") == 2 && found.count("alarms") == 2, "\(found.body)")
      #expect(found.text("firings.0.fired_at") == "2026-02-14T12:01:21Z" && found.text("firings.0.metric") == "t", "\(found.body)")
      #expect(found.text("alarms.0.raised_at") == "2026-02-14T12:01:21Z" && found.text("alarms.0.cleared_at") == "2026-02-14T12:01:40Z")
      #expect(found.text("until") == "2026-02-14T12:04:00Z" && found.body.contains(#""concerned":true"#))

      let elsewhere = try await ask(window, hot, #","appliances":["OTHER-*"]"#)
      #expect(elsewhere.count("firings") == 0 && elsewhere.body.contains(#""concerned":false"#), "\(elsewhere.body)")
      let standing = try await ask("appliance_id=EPIC-001&from=2026-02-14T12:01:30Z&to=2026-02-14T12:01:35Z", hot)
      #expect(standing.count("firings") == 0 && standing.text("alarms.0.raised_at") == "2026-02-14T12:01:21Z", "\(standing.body)")
      #expect(try await ask("appliance_id=EPIC-404&from=2026-02-14T12:00:00Z", hot).code == "appliance_not_found")
      #expect(try await ask(window, #"{"metric":"t","operator":">"}"#).text("errors.0.place") == "/when/value")
      #expect(try await ask("appliance_id=EPIC-001&from=2126-02-14T12:00:00Z", hot).text("errors.0.place") == "from")
      #expect(try await ask("appliance_id=EPIC-001", hot).text("errors.0.place") == "from")
      #expect(try await fixture.ask(Question(path: "/api/v1/rules", token: root)).count("rules") == 0, "nothing is stored")
    }
  }

  @Test func `Of many who acknowledge an alarm one is the first, and it is told once`() async throws {
    try await APIFixture.run { fixture in
      _ = try await fixture.stack.postgres.query(
        """
        INSERT INTO alarms (appliance_id, source, name, severity, metric, value, raised_at, updated_at)
        SELECT 'EPIC-001', 'code:' || n, 'A', 'critical', 't', 5, now() - n * interval '1 s', now() FROM generate_series(1, 3) AS n;
        UPDATE alarms SET cleared_at = now(), clear_reason = 'device' WHERE source = 'code:3';
        """)
      let (owner, cook, stranger) = try await (fixture.token("owner"), fixture.token("cook"), fixture.token("stranger"))
      let path = "/api/v1/appliances/EPIC-001/alarms"
      let questions = (0..<20).map { Question("POST", path + "/1/acknowledge", token: $0 % 2 == 0 ? owner : cook) }
      let answers = try await fixture.ask(questions, threads: 10)
      #expect(Set(answers.map(\.status)) == [200] && Set(answers.map(\.body)).count == 1, "all are told who was first")
      #expect(try await fixture.stack.postgres.query("SELECT count(*) FROM rule_outbox WHERE type = 'alarm:acknowledged'") == "1")
      #expect(try await fixture.ask(Question("POST", path + "/3/acknowledge", token: owner)).status == 200, "over, but not yet seen")
      let states = "SELECT string_agg(data ->> 'state', ' ' ORDER BY id) FROM rule_outbox WHERE type = 'alarm:acknowledged'"
      #expect(try await fixture.stack.postgres.query(states) == "open cleared")
      #expect(try await fixture.ask(Question("POST", path + "/4/acknowledge", token: owner)).code == "alarm_not_found")

      let open = try await fixture.ask(Question(path: "/api/v1/alarms?state=open&limit=1", token: owner))
      #expect(open.text("alarms.0.source") == "code:1" && ["owner", "cook"].contains(open.text("alarms.0.acknowledged_by")))
      let next = try await fixture.ask(
        Question(path: "/api/v1/alarms?state=open&limit=1&cursor=\(open.text("next_cursor") ?? "")", token: owner))
      #expect(next.text("alarms.0.source") == "code:2" && next.text("next_cursor") == nil)
      #expect(try await fixture.ask(Question(path: path + "?state=cleared", token: owner)).count("alarms") == 1)
      #expect(try await fixture.ask(Question(path: "/api/v1/alarms", token: stranger)).count("alarms") == 0)
    }
  }
}
