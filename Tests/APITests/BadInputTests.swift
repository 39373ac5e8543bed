import Foundation
import LocalStack
import Testing

/// What comes from careless clients and from hostile ones.
@Suite(.timeLimit(.minutes(3))) struct BadInputTests {
  private typealias Question = APIFixture.Question
  private static let appliance = "/api/v1/appliances/EPIC-001"

  @Test func `What is no such request is refused by name and place`() async throws {
    try await APIFixture.run { fixture in
      let token = try await fixture.token("root")
      let cases: [(Question, Int, String, String?)] = [
        (Question(path: "/api/v1/nothing", token: token), 404, "not_found", nil),
        (Question(path: "/", token: token), 404, "not_found", nil),
        (Question("PUT", "/api/v1/users", token: token), 405, "method_not_allowed", nil),
        (Question(path: "/api/v1/users?limit=0", token: token), 400, "invalid_parameter", "limit"),
        (Question(path: "/api/v1/users?limit=1001", token: token), 400, "invalid_parameter", "limit"),
        (Question(path: "/api/v1/users?limit=1&limit=2", token: token), 400, "invalid_parameter", "limit"),
        (Question(path: "/api/v1/users?lmit=1", token: token), 400, "invalid_parameter", "lmit"),
        (Question(path: "/api/v1/users?cursor=nonsense", token: token), 400, "invalid_cursor", nil),
        (Question(path: "/api/v1/users?limit=%ff", token: token), 400, "invalid_parameter", nil),
        (Question(path: Self.appliance + "/events?from=yesterday", token: token), 400, "invalid_parameter", "from"),
        (
          Question(path: Self.appliance + "/events?from=2026-02-14T12:00:00Z&to=2026-02-14T12:00:00Z", token: token), 400,
          "invalid_parameter", "to"
        ),
        (Question(path: Self.appliance + "/events?type=a,,b", token: token), 400, "invalid_parameter", "type"),
        (Question(path: Self.appliance + "/readings", token: token), 400, "invalid_parameter", "metric"),
        (Question("POST", "/api/v1/users", token: token, body: "{"), 400, "malformed_request", nil),
        (Question("POST", "/api/v1/users", token: token, body: "[]"), 400, "malformed_request", nil),
        (Question("POST", "/api/v1/users", token: token, body: #"{"id":"a","id":"b"}"#), 400, "malformed_request", nil),
        (Question("POST", "/api/v1/users", token: token, body: String(repeating: #"{"a":"#, count: 5000)), 413, "body_too_large", nil),
        (
          Question("POST", "/api/v1/users", token: token, body: #"{"id":"a"}"#, headers: ["Content-Type": "text/plain"]), 415,
          "unsupported_media_type", nil
        ),
        (Question("POST", "/api/v1/users", token: token, body: "{}"), 422, "invalid_body", "/id"),
        (Question("POST", "/api/v1/users", token: token, body: #"{"id":"me"}"#), 422, "invalid_body", "/id"),
        (Question("POST", "/api/v1/users", token: token, body: #"{"id":"a\nb"}"#), 422, "invalid_body", "/id"),
        (Question("POST", "/api/v1/users", token: token, body: #"{"id":"a","rôle":"admin"}"#), 422, "invalid_body", "/rôle"),
        (Question("POST", "/api/v1/users", token: token, body: #"{"id":"owner"}"#), 409, "already_exists", nil),
        (Question("DELETE", "/api/v1/users/owner", token: token), 409, "still_in_use", nil),
        (
          Question("POST", "/api/v1/appliances", token: token, body: #"{"id":"NEW-1","owner_id":"nobody"}"#), 422, "invalid_body",
          "/owner_id"
        ),
        (Question("PUT", Self.appliance + "/shares/nobody", token: token), 404, "user_not_found", nil),
        (Question("PUT", Self.appliance + "/shares/owner", token: token), 409, "still_in_use", nil),
        (Question("POST", Self.appliance + "/commands", token: token, body: #"{"type":"cooking:start"}"#), 422, "invalid_command", nil),
        (Question("POST", Self.appliance + "/commands", token: token, body: #"{"type":"cooking:fly"}"#), 422, "invalid_command", nil),
        (
          Question("POST", Self.appliance + "/commands", token: token, body: #"{"type":"cooking:stop","data":7}"#), 422, "invalid_body",
          "/data"
        ),
        (Question(path: Self.appliance + "/commands/none", token: token), 404, "command_not_found", nil),
        (Question(path: Self.appliance + "/sessions/none%00", token: token), 404, "session_not_found", nil),
      ]
      for (answer, (question, status, code, place)) in zip(try await fixture.ask(cases.map(\.0)), cases) {
        #expect(
          answer.status == status && answer.code == code,
          "\(question.method) \(question.path) \(question.body?.prefix(80) ?? ""): \(answer.status) \(answer.body.prefix(400))")
        if let place { #expect(answer.text("errors.0.place") == place, "\(answer.body)") }
        #expect(answer.headers["content-type"] == "application/problem+json")
      }
      let allow = try await fixture.ask(Question("PUT", "/api/v1/users", token: token)).headers["allow"]
      #expect(allow == "GET, HEAD, POST")
      #expect(try await fixture.ask(Question(path: "/api/v1/users", token: token)).count("users") == 5, "nothing of it was done")
    }
  }

  @Test func `SQL in every place that takes a text is a text`() async throws {
    try await APIFixture.run { fixture in
      let token = try await fixture.token("root")
      for text in [
        "'; DROP TABLE users; --", "\\'); DELETE FROM users; --", "x' OR '1'='1", "%' UNION SELECT scrypt FROM user_passwords --",
      ] {
        let escaped = try #require(text.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        let body = String(decoding: try JSONSerialization.data(withJSONObject: ["id": text, "name": text]), as: UTF8.self)
        let login = String(decoding: try JSONSerialization.data(withJSONObject: ["user_id": text, "password": text]), as: UTF8.self)
        let answers = try await fixture.ask([
          Question("POST", "/api/v1/users", token: token, body: body), Question(path: "/api/v1/users/\(escaped)", token: token),
          Question("DELETE", "/api/v1/users/\(escaped)", token: token), Question("POST", "/api/v1/auth/login", body: login),
          Question(path: Self.appliance + "/readings?metric=\(escaped)", token: token),
          Question(path: Self.appliance + "/commands/\(escaped)", token: token),
          Question(path: "/api/v1/appliances/\(escaped)", token: token),
          Question("PUT", Self.appliance + "/shares/\(escaped)", token: token),
        ])
        #expect(answers.map(\.status) == [201, 200, 204, 401, 200, 404, 404, 404], "\(text)")
        #expect(answers[1].text("id") == text)
      }
      #expect(try await fixture.ask(Question(path: "/api/v1/users", token: token)).count("users") == 5)
    }
  }

  @Test func `Headers and bytes that are no proper HTTP get an answer or a closed door, and the service lives`() async throws {
    try await APIFixture.run { fixture in
      let token = try await fixture.token("root")
      let service = try fixture.stack.service("api-1")
      let script = """
        import socket, sys
        host, port, token = sys.argv[1:]
        def exchange(data):
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                connection.settimeout(20)
                try:
                    connection.sendall(data)
                    answer = b""
                    while True:
                        part = connection.recv(65536)
                        if not part: break
                        answer += part
                        if b"\\r\\n\\r\\n" in answer: break
                except ConnectionError:
                    pass
                return answer.split(b" ")[1].decode() if answer.startswith(b"HTTP/1.1 ") else "closed"
        get = b"GET /api/v1/users/me HTTP/1.1\\r\\nHost: x\\r\\n"
        bearer = b"Authorization: Bearer " + token.encode() + b"\\r\\n"
        post = b"POST /api/v1/users HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n" + bearer
        print(exchange(get + bearer + b"\\r\\n"),
              exchange(get + bearer + bearer + b"\\r\\n"),
              exchange(get + b"Authorization: Basic cm9vdDpyb290\\r\\n\\r\\n"),
              exchange(get + b"X-Large: " + b"a" * 100_000 + b"\\r\\n\\r\\n"),
              exchange(get + b"".join(b"X-%d: 1\\r\\n" % n for n in range(500)) + b"\\r\\n"),
              exchange(b"\\x16\\x03\\x01 not http\\r\\n\\r\\n"),
              exchange(post + b"Content-Length: 9999999999\\r\\n\\r\\n"),
              exchange(post + b"Transfer-Encoding: chunked\\r\\n\\r\\n" + (b"10000\\r\\n" + b"a" * 65536 + b"\\r\\n") * 20),
              exchange(get + bearer + b"X-Forwarded-For: " + b"1.1.1.1, " * 500 + b"\\r\\n\\r\\n"),
              exchange(b"GET /api/v1/../../etc/passwd HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"))
        """
      let output = try await Tool.run(["/usr/bin/python3", "-c", script, service.host, String(service.port), token])
      let statuses = output.split(separator: " ").map(String.init)
      #expect(statuses[0...2] == ["200", "401", "401"])
      for index in [3, 4, 5] { #expect(["400", "431", "closed"].contains(statuses[index]), "\(output)") }
      #expect(statuses[6] == "413")
      #expect(["413", "closed"].contains(statuses[7]))
      #expect(statuses[8...9] == ["200", "404"])
      #expect(try await fixture.ask(Question(path: "/api/v1/users/me", token: token)).status == 200)
    }
  }

  @Test func `Every answer says how it may be used, and only named origins may use it from a page`() async throws {
    try await APIFixture.run(["MARTLET_CORS_ORIGINS": "https://app.example.org"]) { fixture in
      let preflight = ["Origin": "https://app.example.org", "Access-Control-Request-Method": "PATCH"]
      let answers = try await fixture.ask([
        Question(path: "/api/openapi.json"), Question(path: "/api/v1/users"), Question(path: "/api/v1/nothing"),
        Question(path: "/api/docs"),
        Question(path: "/api/openapi.json", headers: ["Origin": "https://app.example.org"]),
        Question(path: "/api/openapi.json", headers: ["Origin": "https://evil.example.org"]),
      ])
      for answer in answers {
        #expect(answer.headers["x-content-type-options"] == "nosniff")
        #expect(answer.headers["content-security-policy"]?.contains("default-src 'none'") == true)
        #expect(answer.headers["x-request-id"]?.isEmpty == false)
        #expect(answer.headers["vary"] == "Origin")
      }
      #expect(answers[1].headers["cache-control"] == "no-store")
      #expect(answers[4].headers["access-control-allow-origin"] == "https://app.example.org")
      #expect(answers[5].headers["access-control-allow-origin"] == nil)
      let script = """
        import json, sys, urllib.request
        request = urllib.request.Request(sys.argv[1], method="OPTIONS", headers=json.loads(sys.argv[2]))
        with urllib.request.urlopen(request) as answer:
            print(answer.status, answer.headers.get("Access-Control-Allow-Origin"), "PATCH" in answer.headers.get("Access-Control-Allow-Methods", ""))
        """
      let headers = String(decoding: try JSONSerialization.data(withJSONObject: preflight), as: UTF8.self)
      #expect(
        try await Tool.run(["/usr/bin/python3", "-c", script, try fixture.url + "/api/v1/users/me", headers])
          == "204 https://app.example.org True")
    }
  }

  @Test func `The document and the page are told apart from what the client has by their tag`() async throws {
    try await APIFixture.run { fixture in
      for path in ["/api/openapi.json", "/api/docs"] {
        let first = try await fixture.ask(Question(path: path))
        let tag = try #require(first.headers["etag"])
        let script = """
          import sys, urllib.error, urllib.request
          try: print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"If-None-Match": sys.argv[2]})).status)
          except urllib.error.HTTPError as error: print(error.code)
          """
        #expect(try await Tool.run(["/usr/bin/python3", "-c", script, try fixture.url + path, tag]) == "304")
        #expect(try await Tool.run(["/usr/bin/python3", "-c", script, try fixture.url + path, "\"other\""]) == "200")
      }
    }
  }
}
