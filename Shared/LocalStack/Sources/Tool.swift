import Foundation
import Subprocess

/// Runs short-lived programs to their end and gives their output.
package enum Tool {
  /// What every child may know of this process' environment: nothing of ours leaks in by accident.
  static let baseEnvironment: [String: String] = {
    let passedOn = ["PATH", "HOME", "USER", "LANG", "TMPDIR", "LD_LIBRARY_PATH"]
    var environment = ProcessInfo.processInfo.environment.filter { passedOn.contains($0.key) }
    // Debian keeps servers where an ordinary user's PATH does not look.
    environment["PATH", default: "/usr/bin:/bin"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    environment["TZ"] = "UTC"
    return environment
  }()

  static func environment(_ values: [String: String]) -> Environment {
    .custom(Dictionary(uniqueKeysWithValues: values.compactMap { key, value in Environment.Key(rawValue: key).map { ($0, value) } }))
  }

  /// The Python with the libraries from PyPI that `make test` puts beside the build. Nil where nobody did.
  package static let pypiPython: String? = {
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
    var folder = URL(filePath: program).deletingLastPathComponent()
    for _ in 0..<3 {
      folder.deleteLastPathComponent()
      let python = folder.appending(path: "pypi/bin/python").path(percentEncoded: false)
      if FileManager.default.isExecutableFile(atPath: python) { return python }
    }
    return nil
  }()

  /// How a program ended and what it wrote.
  package struct Outcome: Sendable {
    /// The exit status; for a program that a signal ended, 128 and the signal, as shells have it.
    package let exitStatus: Int32
    package let output: String
    package let errors: String
  }

  /// Runs a program to its end, whatever that is.
  ///
  /// - Parameters:
  ///   - command: the program (a name looked up in PATH, or a path) and its arguments. Never a credential.
  ///   - name: what errors call it; by default the program's name.
  ///   - environment: added to what every child gets: PATH, HOME and the like, nothing else of this process.
  ///   - input: what the program reads from its standard input.
  /// - Throws: `LocalStackError` with `deadlineExceeded`; the program has been ended then.
  package static func outcome(
    of command: [String], named name: String? = nil, environment: [String: String] = [:], input: String = "",
    limit: Duration = .seconds(60)
  ) async throws -> Outcome {
    let result = try await withDeadline(limit) {
      LocalStackError(.deadlineExceeded, part: name ?? program(command), "It did not finish within \(limit).")
    } _: {
      try await Subprocess.run(
        .name("env"), arguments: Arguments(command),
        environment: Tool.environment(baseEnvironment.merging(environment) { _, own in own }),
        input: .text(input), output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
    }
    let exitStatus =
      switch result.terminationStatus {
      case .exited(let code): code
      case .signaled(let signal): 128 + signal
      }
    return Outcome(exitStatus: exitStatus, output: result.standardOutput, errors: result.standardError)
  }

  /// Runs a program that must succeed and returns its standard output, without the last line feed. Parameters as for `outcome`.
  ///
  /// - Throws: `LocalStackError` with `missingProgram`, `toolFailed` (with the last lines of its standard error) or `deadlineExceeded`.
  @discardableResult
  package static func run(
    _ command: [String], named name: String? = nil, environment: [String: String] = [:], input: String = "",
    limit: Duration = .seconds(60)
  ) async throws -> String {
    let name = name ?? program(command)
    let outcome = try await outcome(of: command, named: name, environment: environment, input: input, limit: limit)
    switch outcome.exitStatus {
    case 0: return outcome.output.hasSuffix("\n") ? String(outcome.output.dropLast()) : outcome.output
    case 127: throw LocalStackError(.missingProgram, part: name, "It is not installed; run `make packages`.")
    default:
      throw LocalStackError(
        .toolFailed, part: name, "It ended with exit status \(outcome.exitStatus): \(outcome.errors.lastLines(3))")
    }
  }

  private static func program(_ command: [String]) -> String { command.first.map { ($0 as NSString).lastPathComponent } ?? "?" }

  /// Runs a program with its output on ours, until it ends or the task is cancelled.
  static func follow(_ command: [String], environment: [String: String]) async throws {
    var options = PlatformOptions()
    options.processGroupID = 0  // a Ctrl-C is for the stack, which then ends this
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(2))]
    let result = try await Subprocess.run(
      .name("env"), arguments: Arguments(command),
      environment: Self.environment(baseEnvironment.merging(environment) { _, own in own }), platformOptions: options,
      output: .currentStandardOutput, error: .currentStandardError)
    guard result.terminationStatus.isSuccess || Task.isCancelled else {
      throw LocalStackError(.ended, part: program(command), "It \(result.terminationStatus); its last words are above.")
    }
  }
}

extension String {
  /// The last lines that are not empty, on one line, for an error's sentence.
  func lastLines(_ count: Int) -> String {
    split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.suffix(count).joined(separator: " | ")
  }
}
