import Foundation
import LocalStack
import Testing

@Suite(.timeLimit(.minutes(3))) struct LoginTests {
  private typealias Question = APIFixture.Question
  private static let password = "correct horse battery"

  private static func login(_ user: String, _ password: String) -> Question {
    Question("POST", "/api/v1/auth/login", body: #"{"user_id":"\#(user)","password":"\#(password)"}"#)
  }

  private static func refresh(_ token: String?) -> Question {
    Question("POST", "/api/v1/auth/refresh", body: #"{"refresh_token":"\#(token ?? "")"}"#)
  }

  @Test func `A login gives tokens, a refresh rotates them, and a replayed one revokes its family`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.setPassword(Self.password, of: "owner")
      let login = try await fixture.ask(Self.login("owner", Self.password))
      #expect(login.status == 200)
      let first = try #require(login.text("refresh_token"))
      let me = try await fixture.ask(Question(path: "/api/v1/users/me", token: login.text("access_token")))
      #expect(me.text("id") == "owner")

      let second = try await fixture.ask(Self.refresh(first))
      #expect(second.status == 200)
      let third = try await fixture.ask(Self.refresh(second.text("refresh_token")))
      #expect(third.status == 200)
      let replayed = try await fixture.ask(Self.refresh(first))
      #expect((replayed.status, replayed.code) == (401, "invalid_refresh_token"))
      let heir = try await fixture.ask(Self.refresh(third.text("refresh_token")))
      #expect((heir.status, heir.code) == (401, "invalid_refresh_token"), "the whole family is revoked")
      #expect(try await fixture.ask(Self.refresh("nonsense")).status == 401)
    }
  }

  @Test func `Of two who come with one refresh token at a time, one gets in and then neither`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.setPassword(Self.password, of: "owner")
      let token = try #require(try await fixture.ask(Self.login("owner", Self.password)).text("refresh_token"))
      let answers = try await fixture.ask(Array(repeating: Self.refresh(token), count: 8), threads: 8)
      #expect(answers.count { $0.status == 200 } == 1)
      let winner = try #require(answers.first { $0.status == 200 })
      #expect(try await fixture.ask(Self.refresh(winner.text("refresh_token"))).status == 401)
    }
  }

  @Test func `A logout ends the token and its family; a revocation ends every token; a new password too`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.setPassword(Self.password, of: "owner")
      func logIn(_ password: String = Self.password) async throws -> (access: String, refresh: String) {
        let answer = try await fixture.ask(Self.login("owner", password))
        return (try #require(answer.text("access_token")), try #require(answer.text("refresh_token")))
      }
      func status(_ token: String) async throws -> String {
        let answer = try await fixture.ask(Question(path: "/api/v1/users/me", token: token))
        return answer.code ?? String(answer.status)
      }
      let (one, two) = (try await logIn(), try await logIn())
      let logout = Question("POST", "/api/v1/auth/logout", token: one.access, body: #"{"refresh_token":"\#(one.refresh)"}"#)
      #expect(try await fixture.ask(logout).status == 204)
      #expect(try await status(one.access) == "token_revoked")
      #expect(try await fixture.ask(Self.refresh(one.refresh)).status == 401)
      #expect(try await status(two.access) == "200", "another login is not touched")

      #expect(try await fixture.ask(Question("DELETE", "/api/v1/users/me/tokens", token: two.access)).status == 204)
      #expect(try await status(two.access) == "token_revoked")
      #expect(try await fixture.ask(Self.refresh(two.refresh)).status == 401)

      let three = try await logIn()
      let change = #"{"password":"another long password","current_password":"\#(Self.password)"}"#
      let wrong = #"{"password":"another long password","current_password":"wrong"}"#
      #expect(try await fixture.ask(Question("PATCH", "/api/v1/users/me", token: three.access, body: wrong)).code == "invalid_credentials")
      #expect(try await fixture.ask(Question("PATCH", "/api/v1/users/me", token: three.access, body: change)).status == 200)
      #expect(try await status(three.access) == "token_revoked")
      #expect(try await fixture.ask(Self.login("owner", Self.password)).code == "invalid_credentials")
      _ = try await logIn("another long password")
    }
  }

  @Test func `Guesses at an account are limited, told when to come back, and an unknown user is no different`() async throws {
    try await APIFixture.run(["MARTLET_LOGINS_PER_ACCOUNT": "3", "MARTLET_LOGINS_PER_ADDRESS": "1000"]) { fixture in
      try await fixture.setPassword(Self.password, of: "owner")
      for user in ["owner", "nobody"] {
        let answers = try await fixture.ask(Array(repeating: Self.login(user, "wrong"), count: 5))
        #expect(answers.map(\.code) == Array(repeating: "invalid_credentials", count: 3) + ["too_many_attempts", "too_many_attempts"])
        #expect(Int(try #require(answers[4].headers["retry-after"])) ?? 0 >= 1)
      }
      #expect(try await fixture.ask(Self.login("guest", "wrong")).code == "invalid_credentials", "without a password it is the same")
    }
  }

  @Test func `The client behind a trusted proxy is whom logins are counted for, and nobody else is believed`() async throws {
    func attempts(_ fixture: APIFixture) async throws -> [Int] {
      try await fixture.ask(
        (0..<6).map { number in
          var question = Self.login("user-\(number)", "wrong")
          question.headers["X-Forwarded-For"] = "203.0.113.\(number)"
          return question
        }
      ).map(\.status)
    }
    try await APIFixture.run(["MARTLET_LOGINS_PER_ADDRESS": "3"]) { fixture in
      let statuses = try await attempts(fixture)
      #expect(statuses == [401, 401, 401, 401, 401, 401])
    }
    try await APIFixture.run(["MARTLET_LOGINS_PER_ADDRESS": "3", "MARTLET_TRUSTED_PROXIES": "10.0.0.0/8"]) { fixture in
      let statuses = try await attempts(fixture)
      #expect(statuses == [401, 401, 401, 429, 429, 429])
    }
  }

  @Test func `A flood of logins is refused at a bound, and others are served meanwhile`() async throws {
    let limits = ["MARTLET_LOGINS_PER_ADDRESS": "100000", "MARTLET_LOGINS_PER_ACCOUNT": "100000", "MARTLET_PASSWORD_THREADS": "1"]
    try await APIFixture.run(limits) { fixture in
      let token = try await fixture.token("owner")
      let flood = (0..<600).map { Self.login("user-\($0)", "wrong") }
      async let refused = fixture.ask(flood, threads: 64)
      // Each of these has a time limit of its own in the client; what counts is that all are served while the flood lasts.
      let others = try await fixture.ask(Array(repeating: Question(path: "/api/v1/appliances", token: token), count: 50))
      #expect(others.allSatisfy { $0.status == 200 })
      let statuses = Dictionary(grouping: try await refused, by: \.status).mapValues(\.count)
      #expect(statuses.keys.sorted() == [401, 429], "\(statuses)")
      #expect(statuses[429] ?? 0 > statuses[401] ?? 0, "one thread checks few of them: \(statuses)")
      let metrics = try await fixture.stack.service("api-1").metrics()
      #expect(metrics.contains("martlet_api_logins_total{outcome=\"overloaded\"}"))
    }
  }

  @Test func `Of ten thousand logins from one address all but a few are refused, each is counted, and others log in meanwhile`()
    async throws
  {
    func login(_ user: String, _ password: String, from address: String) -> Question {
      var question = Self.login(user, password)
      question.headers["X-Forwarded-For"] = address
      return question
    }
    try await APIFixture.run(["MARTLET_TRUSTED_PROXIES": "127.0.0.0/8"]) { fixture in
      try await fixture.setPassword(Self.password, of: "owner")
      async let flood = fixture.ask((0..<10_000).map { login("user-\($0)", "wrong", from: "203.0.113.1") }, threads: 32)
      let others = try await fixture.ask((2..<10).map { login("owner", Self.password, from: "203.0.113.\($0)") })
      #expect(others.allSatisfy { $0.status == 200 })
      let statuses = Dictionary(grouping: try await flood, by: \.status).mapValues(\.count)
      #expect(statuses.keys.sorted() == [401, 429] && statuses[401] ?? 0 < 200, "\(statuses)")
      let metrics = try await fixture.stack.service("api-1").metrics()
      let counts = metrics.matches(of: /martlet_api_logins_total\{outcome="[a-z_]+"\} (\d+)/).compactMap { Int($0.1) }
      #expect(counts.reduce(0, +) == 10_008, "\(metrics.split(separator: "\n").filter { $0.contains("logins") })")
    }
  }
}
