import Foundation
import LocalStack
import Subprocess
import SystemPackage

/// `martletctl` as a real process, with a stack's servers.
struct CommandFixture: Sendable {
  struct Ended: Sendable, Equatable {
    let status: TerminationStatus
    let output: String
    let errors: String
  }

  static let secret = "a secret of more than thirty-two bytes"

  let stack: LocalStack
  private let environment: [String: String]

  static func run(
    _ servers: Set<StackServer>, services: [MartletService.Plan] = [], _ body: (CommandFixture) async throws -> Void
  ) async throws {
    var configuration = LocalStackConfiguration(servers)
    configuration.services = services
    try await LocalStack.run(configuration) { stack in
      try await body(CommandFixture(stack: stack, servers: servers))
    }
  }

  private init(stack: LocalStack, servers: Set<StackServer>) throws {
    var environment = ["MARTLET_JWT_SECRET": Self.secret]
    if servers.contains(.postgres) {
      environment["MARTLET_POSTGRES_URL"] = try stack.postgres.url(.owner)
      environment["MARTLET_POSTGRES_PASSWORD_FILE"] = try stack.postgres.passwordFile(.owner)
    }
    if servers.contains(.redis) {
      environment["MARTLET_REDIS_URL"] = try stack.redis.url(.admin)
      environment["MARTLET_REDIS_PASSWORD_FILE"] = try stack.redis.passwordFile(.admin)
    }
    if servers.contains(.mosquitto) {
      environment["MARTLET_MQTT_URL"] = try stack.mosquitto.url(.simulator)
      environment["MARTLET_MQTT_PASSWORD_FILE"] = try stack.mosquitto.passwordFile(.simulator)
    }
    if let api = try? stack.service("api-1") {
      environment["MARTLET_API_URL"] = "http://\(api.host):\(api.port)/api"
      environment["XDG_CONFIG_HOME"] = stack.folder.path
    }
    self.stack = stack
    self.environment = environment
  }

  private static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appending(path: "martletctl").path

  private func environment(_ changes: [String: String]) -> Environment {
    var all: [Environment.Key: String] = ["PATH": "/usr/bin:/bin"]
    for (name, text) in environment.merging(changes, uniquingKeysWith: { $1 }) { all[Environment.Key(stringLiteral: name)] = text }
    return .custom(all)
  }

  /// Runs a command to its end.
  func martletctl(_ arguments: String..., input: String = "", environment changes: [String: String] = [:]) async throws -> Ended {
    try await martletctl(arguments, input: input, environment: changes)
  }

  func martletctl(_ arguments: [String], input: String = "", environment changes: [String: String] = [:]) async throws -> Ended {
    let result = try await Subprocess.run(
      .path(FilePath(Self.program)), arguments: Arguments(arguments), environment: environment(changes), input: .text(input),
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    return Ended(status: result.terminationStatus, output: result.standardOutput, errors: result.standardError)
  }

  /// Runs a command and tells each of its lines, of both outputs, until `told` answers false; then it gets `signal`.
  /// - Returns: how it ended, and every line, those after the signal too, but for the clients' own warnings.
  func follow(
    _ arguments: [String], signal: Signal = .terminate, environment changes: [String: String] = [:], told: (String) async throws -> Bool
  ) async throws -> (status: TerminationStatus, lines: [String]) {
    let result = try await Subprocess.run(
      .path(FilePath(Self.program)), arguments: Arguments(arguments), environment: environment(changes), input: .none, output: .sequence,
      error: .combinedWithOutput
    ) { execution in
      var isWanted = true
      var lines: [String] = []
      for try await text in execution.standardOutput.strings() where !text.contains(" warning martletctl: ") {
        let line = text.trimmingCharacters(in: .newlines)
        lines.append(line)
        guard isWanted else { continue }
        isWanted = try await told(line)
        if !isWanted { try execution.send(signal: signal) }
      }
      return lines
    }
    return (result.terminationStatus, result.closureResult)
  }

  /// Runs another program to its end: a client that is not ours.
  static func tool(_ name: String, _ arguments: [String], environment: [String: String]) async throws -> String {
    var changes: [Environment.Key: String?] = [:]
    for (name, text) in environment { changes[Environment.Key(stringLiteral: name)] = text }
    return try await Subprocess.run(
      .name(name), arguments: Arguments(arguments), environment: .inherit.updating(changes), output: .string(limit: 1 << 20)
    ).standardOutput
  }
}
