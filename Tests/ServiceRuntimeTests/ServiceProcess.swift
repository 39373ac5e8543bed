import Foundation
import Subprocess
import SystemPackage
import Testing

/// The probe as a real process, and curl as the client that is not ours.
enum ServiceProcess {
  /// The folder of what was built, this test among it.
  static let products = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
  static let probe = products.appending(path: "ServiceRuntimeProbe").path

  struct Ended: Sendable {
    let status: TerminationStatus
    let output: String
    let errors: String
  }

  /// Runs the probe until it ends by itself.
  static func runToEnd(_ arguments: [String] = [], _ environment: [String: String] = [:]) async throws -> Ended {
    let result = try await run(
      .path(.init(probe)), arguments: Arguments(arguments), environment: .custom(variables(environment)),
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    return Ended(status: result.terminationStatus, output: result.standardOutput, errors: result.standardError)
  }

  /// Runs the probe, calls `whenLogged` with each of its log records, and answers how it ended and every message it logged.
  ///
  /// - Parameter softOpenFiles: what the shell that starts it sets as the soft limit.
  static func observe(
    _ environment: [String: String] = [:], softOpenFiles: Int = 512,
    whenLogged: (_ record: [String: String], _ signal: (Signal) throws -> Void) async throws -> Void
  ) async throws -> (status: TerminationStatus, messages: [String]) {
    let result = try await run(
      .path("/bin/sh"), arguments: ["-c", "ulimit -Sn \(softOpenFiles) && exec \"$0\"", probe],
      environment: .custom(variables(environment)),
      input: .none, output: .discarded, error: .sequence
    ) { execution in
      var messages: [String] = []
      for try await line in execution.standardError.strings() {
        let record = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        messages.append([record["message"], record["part"]].compactMap(\.self).joined(separator: " "))
        try await whenLogged(record) { try execution.send(signal: $0) }
      }
      return messages
    }
    return (result.terminationStatus, result.closureResult)
  }

  /// What curl gets: the status and the body.
  static func curl(_ port: String, _ path: String) async throws -> (status: String, body: String) {
    let result = try await run(
      .name("curl"), arguments: ["-s", "-m", "10", "-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"],
      output: .string(limit: 1 << 20))
    let lines = result.standardOutput.split(separator: "\n", omittingEmptySubsequences: false)
    return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
  }

  private static func variables(_ environment: [String: String]) -> [Environment.Key: String] {
    var all: [Environment.Key: String] = ["MARTLET_ADMIN_PORT": "0", "PATH": "/usr/bin:/bin"]
    for (name, text) in environment { all[Environment.Key(stringLiteral: name)] = text }
    return all
  }
}
