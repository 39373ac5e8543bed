import Foundation
import LocalStack
import Subprocess
import SystemPackage
import Testing

/// The service on real servers, and a client of it that is not ours.
struct APIFixture: Sendable {
  struct Question: Sendable {
    var method = "GET"
    let path: String
    var token: String?
    /// A token that the client makes by itself: algorithm and claims.
    var jwt: (algorithm: String, claims: [String: any Sendable], secret: String?)?
    var body: String?
    var headers: [String: String] = [:]

    init(_ method: String, _ path: String, token: String? = nil, body: String? = nil, headers: [String: String] = [:]) {
      (self.method, self.path, self.token, self.body, self.headers) = (method, path, token, body, headers)
    }

    init(path: String, token: String? = nil, headers: [String: String] = [:]) {
      (self.path, self.token, self.headers) = (path, token, headers)
    }

    fileprivate var json: [String: Any] {
      var json: [String: Any] = ["method": method, "path": path, "headers": headers]
      json["token"] = token
      json["body"] = body
      if let jwt {
        var made: [String: Any] = ["alg": jwt.algorithm, "claims": jwt.claims]
        made["secret"] = jwt.secret
        json["jwt"] = made
      }
      return json
    }
  }

  struct Answer: Decodable, Sendable {
    let status: Int
    let headers: [String: String]
    let body: String
    /// What is not as the OpenAPI document says.
    let violations: [String]

    /// The body as JSON, by path: `text("tokens.0.id")`.
    func value(_ path: String) -> Any? {
      var value: Any? = try? JSONSerialization.jsonObject(with: Data(body.utf8))
      for part in path.split(separator: ".") {
        if let index = Int(part), let list = value as? [Any] {
          value = list.indices.contains(index) ? list[index] : nil
        } else {
          value = (value as? [String: Any])?[String(part)]
        }
      }
      return value
    }

    func text(_ path: String) -> String? { value(path) as? String }
    func count(_ path: String) -> Int? { (value(path) as? [Any])?.count }
    var code: String? { text("code") }
  }

  let stack: LocalStack

  static let issuer = "https://accounts.example.org"

  /// Starts the service, and adds accounts: `owner` of EPIC-001, which is shared with `cook` (operator) and `guest` (viewer); `stranger`; `root` (admin).
  static func run(
    _ environment: [String: String] = [:], services: [MartletService.Plan] = [], _ body: (APIFixture) async throws -> Void
  ) async throws {
    var configuration = LocalStackConfiguration([.postgres, .redis, .mosquitto])
    configuration.environment["MARTLET_JWT_ISSUER"] = issuer
    configuration.services = services + [MartletService.Plan("api", environment: environment)]
    try await LocalStack.run(configuration) { stack in
      let fixture = APIFixture(stack: stack)
      try await stack.martletctl("apply", "-", input: accounts)
      try await body(fixture)
    }
  }

  private static let accounts = """
    users:
      - {id: owner}
      - {id: cook}
      - {id: guest}
      - {id: stranger, role: operator}
      - {id: root, role: admin}
    appliances:
      - id: EPIC-001
        owner: owner
        shared_with: [{user: cook, role: operator}, {user: guest, role: viewer}]
    """

  var url: String {
    get throws {
      let service = try stack.service("api-1")
      return "http://\(service.host):\(service.port)"
    }
  }

  func token(_ user: String, lifetime: String = "1h") async throws -> String {
    try await stack.martletctl("token", user, "--unchecked", "--lifetime", lifetime)
  }

  /// Asks in order, or so many at a time, and expects every answer to be as the document says.
  func ask(_ questions: [Question], threads: Int = 1, sourceLocation: SourceLocation = #_sourceLocation) async throws -> [Answer] {
    let secret = try String(contentsOfFile: stack.folder.secretFile("jwt"), encoding: .utf8).trimmingCharacters(in: .newlines)
    let task: [String: Any] = ["url": try url, "secret": secret, "questions": questions.map(\.json), "threads": threads]
    let input = String(decoding: try JSONSerialization.data(withJSONObject: task), as: UTF8.self)
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Clients/ask.py").path
    let result = try await Subprocess.run(
      .path("/usr/bin/python3"), arguments: [script], input: .text(input), output: .string(limit: 64 << 20),
      error: .string(limit: 1 << 16))
    let answers = try JSONDecoder().decode([Answer].self, from: Data(result.standardOutput.utf8))
    try #require(answers.count == questions.count, "\(result.standardError)", sourceLocation: sourceLocation)
    for (question, answer) in zip(questions, answers) {
      #expect(
        answer.violations.isEmpty, "\(question.method) \(question.path): \(answer.violations) \(answer.body.prefix(500))",
        sourceLocation: sourceLocation)
    }
    return answers
  }

  func ask(_ question: Question, sourceLocation: SourceLocation = #_sourceLocation) async throws -> Answer {
    try await ask([question], sourceLocation: sourceLocation)[0]
  }

  /// Gives a user a password, as an admin does.
  func setPassword(_ password: String, of user: String) async throws {
    let answer = try await ask(
      Question("PATCH", "/api/v1/users/\(user)", token: try await token("root"), body: #"{"password":"\#(password)"}"#))
    #expect(answer.status == 200)
  }
}
