import Foundation
import Subprocess

/// Runs a program to its end.
enum Program {
  struct Failure: Error {
    let status: TerminationStatus
    let standardError: String
  }

  /// The program's standard output without the last line feed; throws `Failure` when it does not exit with 0.
  @discardableResult
  static func run(_ command: String..., environment: [String: String] = [:]) async throws -> String {
    try await run(command, environment: environment)
  }

  @discardableResult
  static func run(_ command: [String], environment: [String: String] = [:]) async throws -> String {
    let changes = Dictionary(
      uniqueKeysWithValues: environment.compactMap { key, value in
        Environment.Key(rawValue: key).map { ($0, String?.some(value)) }
      })
    let result = try await Subprocess.run(
      .name("env"), arguments: Arguments(command), environment: .inherit.updating(changes),
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    guard result.terminationStatus.isSuccess else {
      throw Failure(status: result.terminationStatus, standardError: result.standardError)
    }
    return result.standardOutput.trimmingCharacters(in: .newlines)
  }
}
