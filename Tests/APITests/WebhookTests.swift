import Foundation
import LocalStack
import Testing

/// Webhooks as their owners see them. (How messages are delivered is the dispatcher's tests' matter.)
@Suite(.timeLimit(.minutes(3))) struct WebhookTests {
  private typealias Question = APIFixture.Question

  private static let path = "/api/v1/webhooks"

  @Test func `A webhook is made, seen by its owner and admins alone, changed and removed; its secret is told once`() async throws {
    try await APIFixture.run { api in
      let (owner, other, root) = (try await api.token("owner"), try await api.token("cook"), try await api.token("root"))
      let made = try await api.ask(
        Question(
          "POST", Self.path, token: owner,
          body:
            #"{"name":"one","url":"HTTPS://Hooks.example.org/a","event_types":["alarm.raised"],"appliance_ids":["EPIC-001"],"in_flight_max":1}"#
        ))
      #expect(made.status == 201)
      #expect(made.text("secret")?.wholeMatch(of: #/whsec_[A-Za-z0-9+/]{43}=/#) != nil)
      #expect(made.text("webhook.url") == "https://hooks.example.org/a")
      let id = try #require(made.text("webhook.id"))
      #expect(made.headers["location"] == "\(Self.path)/\(id)")

      let one = "\(Self.path)/\(id)"
      let answers = try await api.ask([
        Question("GET", one, token: owner), Question("GET", one, token: other), Question("GET", one, token: root),
        Question("GET", Self.path, token: owner), Question("GET", Self.path, token: other), Question("GET", Self.path, token: root),
        Question("GET", Self.path + "?owner_id=owner", token: other), Question("DELETE", one, token: other),
        Question("PATCH", one, token: owner, body: #"{"name":"two","event_types":[],"enabled":false}"#),
        Question("POST", one + "/test", token: owner),
        Question("POST", Self.path, token: owner, body: #"{"name":"two","url":"https://a.example"}"#),
        Question("PATCH", one, token: root, body: #"{"enabled":true}"#), Question("DELETE", one, token: owner),
        Question("GET", one, token: owner),
      ])
      #expect(answers.map(\.status) == [200, 404, 200, 200, 200, 200, 403, 404, 200, 409, 409, 200, 204, 404])
      #expect(!answers.contains { $0.body.contains("whsec_") })
      #expect(answers[3...5].map { $0.count("webhooks") } == [1, 0, 1])
      #expect(answers[8].text("disabled_because") == "user" && answers[8].count("event_types") == 0 && answers[8].text("name") == "two")
      #expect(answers[9].code == "webhook_disabled" && answers[10].code == "already_exists")
      #expect(answers[11].value("enabled") as? Bool == true)
    }
  }

  @Test func `What is no webhook is refused by name`() async throws {
    try await APIFixture.run { api in
      let token = try await api.token("owner")
      let cases: [(String, String)] = [
        (#"{"name":"a","url":"http://hooks.example.org/"}"#, "/url"), (#"{"name":"a","url":"https://10.0.0.1/"}"#, "/url"),
        (#"{"name":"a","url":"https://169.254.169.254/latest"}"#, "/url"), (#"{"name":"a","url":"https://[::ffff:127.0.0.1]/"}"#, "/url"),
        (#"{"name":"a","url":"https://localhost:8080/"}"#, "/url"), (#"{"name":"a","url":"https://user:pw@example.org/"}"#, "/url"),
        (#"{"name":"a","url":"https://2130706433/"}"#, "/url"), (#"{"name":"","url":"https://example.org"}"#, "/name"),
        (#"{"name":"a","url":"https://example.org","event_types":["alarm.raised","nothing"]}"#, "/event_types/1"),
        (#"{"name":"a","url":"https://example.org","event_types":"alarm.raised"}"#, "/event_types"),
        (#"{"name":"a","url":"https://example.org","appliance_ids":["a b"]}"#, "/appliance_ids/0"),
        (#"{"name":"a","url":"https://example.org","in_flight_max":0}"#, "/in_flight_max"),
        (#"{"name":"a","url":"https://example.org","in_flight_max":65}"#, "/in_flight_max"), (#"{"url":"https://example.org"}"#, "/name"),
        (#"{"name":"a","url":"https://example.org","secret":"whsec_x"}"#, "/secret"),
      ]
      let answers = try await api.ask(cases.map { Question("POST", Self.path, token: token, body: $0.0) })
      for ((body, place), answer) in zip(cases, answers) {
        #expect(answer.status == 422 && answer.text("errors.0.place") == place, "\(body): \(answer.body)")
        #expect(!answer.body.contains("pw@"))
      }
      let others = try await api.ask([
        Question("POST", Self.path, token: token, body: #"{"name":"a","url":"https://example.org","owner_id":"cook"}"#),
        Question(
          "POST", Self.path, token: try await api.token("root"), body: #"{"name":"a","url":"https://example.org","owner_id":"nobody"}"#),
        Question("GET", Self.path + "/not-an-id", token: token), Question("GET", Self.path),
      ])
      #expect(others.map(\.status) == [403, 422, 404, 401])
    }
  }

  @Test func `Secrets rotate, and no more than five are valid at a time`() async throws {
    try await APIFixture.run { api in
      let token = try await api.token("owner")
      let made = try await api.ask(Question("POST", Self.path, token: token, body: #"{"name":"a","url":"https://example.org"}"#))
      let path = "\(Self.path)/\(try #require(made.text("webhook.id")))/secret"
      let answers = try await api.ask((0..<5).map { _ in Question("POST", path, token: token) })
      #expect(answers.map(\.status) == [201, 201, 201, 201, 409])
      #expect(Set(answers.compactMap { $0.text("secret") } + [made.text("secret")]).count == 5 + 1 - 1)
      #expect(try await api.ask(Question("POST", path, token: token, body: #"{"overlap_s":0}"#)).status == 201)
      #expect(try await api.ask(Question("POST", path, token: token)).status == 201)
    }
  }

  @Test func `A test goes out, and the delivery log tells of it`() async throws {
    let settings = ["MARTLET_WEBHOOKS_ALLOW_HTTP": "true", "MARTLET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.1"]
    try await APIFixture.run(settings, services: [MartletService.Plan("rules", environment: settings)]) { api in
      let (token, other) = (try await api.token("owner"), try await api.token("cook"))
      // The API itself: it answers 405 to a POST there.
      let made = try await api.ask(Question("POST", Self.path, token: token, body: #"{"name":"a","url":"\#(try api.url)/api/docs"}"#))
      let one = "\(Self.path)/\(try #require(made.text("webhook.id")))"
      let tested = try await api.ask(Question("POST", one + "/test?wait=30", token: token))
      #expect(tested.status == 202 && tested.text("state") == "pending" && tested.text("type") == "webhook.test")
      #expect(tested.value("attempts.0.status") as? Int == 405 && tested.text("attempts.0.failure") == "status")
      let location = try #require(tested.headers["location"])
      let answers = try await api.ask([
        Question("GET", location, token: token), Question("GET", location, token: other),
        Question("GET", one + "/deliveries", token: token),
        Question("GET", one + "/deliveries?state=dead", token: token), Question("GET", one + "/deliveries/999", token: token),
        Question("POST", location + "/retry", token: token), Question("POST", one + "/deliveries/999/retry", token: token),
        Question("POST", one + "/replay", token: token, body: #"{"since":"2026-01-01T00:00:00Z"}"#),
        Question("POST", one + "/replay", token: token, body: #"{"since":"2026-01-01T00:00:00Z","until":"2025-01-01T00:00:00Z"}"#),
        Question("POST", one + "/replay", token: token, body: "{}"),
      ])
      #expect(answers.map(\.status) == [200, 404, 200, 200, 404, 202, 404, 202, 422, 422])
      #expect(answers[2].count("deliveries") == 1 && answers[3].count("deliveries") == 0)
      #expect(answers[7].value("replayed") as? Int == 0)
    }
  }
}
