import Foundation
import LocalStack
import Subprocess
import SystemPackage
import Testing

/// Whole services on real servers, and a receiver.
enum Replicas {
  private static let settings = [
    "MARTLET_WEBHOOKS_ALLOW_HTTP": "true", "MARTLET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.1", "MARTLET_WEBHOOKS_TIMEOUT_SECONDS": "2",
  ]

  /// Runs `body` with an API, so many replicas of `rules` and one each of `services`, the owner of EPIC-001 with `rules`, and a receiver.
  static func run(
    _ count: Int, and services: [String] = [], rules: String = "[]",
    _ body: @escaping @Sendable (LocalStack, Receiver, CommandLine) async throws -> Void
  ) async throws {
    var configuration = LocalStackConfiguration([.postgres, .redis, .mosquitto])
    configuration.environment = settings
    configuration.services = (["api"] + services).map { MartletService.Plan($0) } + MartletService.Plan.replicas(count, of: "rules")
    try await LocalStack.run(configuration) { stack in
      try await stack.martletctl(
        "apply", "-", input: "users: [{id: owner}]\nappliances: [{id: EPIC-001, owner: owner}]\nrules: \(rules)")
      let api = try stack.service("api-1")
      let commands = CommandLine(
        api: "http://\(api.host):\(api.port)/api", token: try await stack.martletctl("token", "owner", "--unchecked", "--lifetime", "1h"))
      let receiver = Receiver(in: stack.folder.path)
      try await receiver.running { try await body(stack, receiver, commands) }
    }
  }

  /// `martletctl`, as whoever the token is for.
  struct CommandLine: Sendable {
    let api: String
    let token: String

    @discardableResult
    func callAsFunction(_ arguments: String..., status: Int32 = 0) async throws -> String { try await run(arguments, status: status) }

    private func run(_ arguments: [String], status: Int32) async throws -> String {
      let program = (try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") as NSString).deletingLastPathComponent
      let result = try await Subprocess.run(
        .path(FilePath("\(program)/martletctl")), arguments: Arguments(arguments),
        environment: .inherit.updating(["MARTLET_API_URL": api, "MARTLET_API_TOKEN": token]), input: .none,
        output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
      #expect(result.terminationStatus == .exited(status), "\(arguments): \(result.standardOutput)\(result.standardError)")
      return result.standardOutput
    }

    /// Adds a webhook, and returns its id and secret.
    func add(_ name: String, _ url: String, _ options: String...) async throws -> (id: String, secret: String) {
      let words = try await run(["webhooks", "add", name, url] + options, status: 0).split(whereSeparator: \.isWhitespace).map(String.init)
      try #require(words.count == 4)
      return (words[1], words[3])
    }
  }
}
