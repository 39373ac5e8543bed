import Foundation
import Subprocess

/// Runs short-lived programs to their end and gives their output.
enum Tool {
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

  /// Runs a program and returns its standard output, without the last line feed.
  ///
  /// - Parameters:
  ///   - command: the program (a name looked up in PATH, or a path) and its arguments. Never a credential.
  ///   - name: what errors call it; by default the program's name.
  ///   - input: what the program reads from its standard input.
  /// - Throws: `LocalStackError` with `missingProgram`, `toolFailed` (with the last lines of its standard error) or `deadlineExceeded`.
  static func run(
    _ command: [String], named name: String? = nil, environment: [String: String] = [:], input: String = "",
    limit: Duration = .seconds(60)
  ) async throws -> String {
    let name = name ?? command.first.map { ($0 as NSString).lastPathComponent } ?? "?"
    let result = try await withDeadline(limit) {
      LocalStackError(.deadlineExceeded, part: name, "It did not finish within \(limit).")
    } _: {
      try await Subprocess.run(
        .name("env"), arguments: Arguments(command),
        environment: Tool.environment(baseEnvironment.merging(environment) { _, own in own }),
        input: .string(input), output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
    }
    if result.terminationStatus.isSuccess {
      let output = result.standardOutput
      return output.hasSuffix("\n") ? String(output.dropLast()) : output
    }
    if case .exited(127) = result.terminationStatus {
      throw LocalStackError(.missingProgram, part: name, "It is not installed; run `make packages`.")
    }
    throw LocalStackError(.toolFailed, part: name, "It \(result.terminationStatus): \(result.standardError.lastLines(3))")
  }

  /// Runs a program with its output on ours, until it ends or the task is cancelled.
  static func follow(_ command: [String], environment: [String: String]) async throws {
    var options = PlatformOptions()
    options.processGroupID = 0  // a Ctrl-C is for the stack, which then ends this
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(2))]
    let name = command.first.map { ($0 as NSString).lastPathComponent } ?? "?"
    let result = try await Subprocess.run(
      .name("env"), arguments: Arguments(command),
      environment: Self.environment(baseEnvironment.merging(environment) { _, own in own }), platformOptions: options,
      output: .currentStandardOutput, error: .currentStandardError)
    guard result.terminationStatus.isSuccess || Task.isCancelled else {
      throw LocalStackError(.ended, part: name, "It \(result.terminationStatus); its last words are above.")
    }
  }
}

extension String {
  /// The last lines that are not empty, on one line, for an error's sentence.
  func lastLines(_ count: Int) -> String {
    split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.suffix(count).joined(separator: " | ")
  }
}
