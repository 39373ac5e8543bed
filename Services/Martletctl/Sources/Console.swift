import ArgumentParser
import Foundation
import Logging
import ServiceRuntime
import Store

/// What a person or a pipe reads.
enum Console {
  /// Writes a line to standard output at once.
  /// - Returns: false when nobody reads on.
  @discardableResult
  static func say(_ line: String) -> Bool { DescriptorOutput.write(Array((line + "\n").utf8), to: STDOUT_FILENO) }

  /// Writes lines to standard output at once.
  /// - Returns: false when nobody reads on.
  static func write(_ lines: [UInt8]) -> Bool { DescriptorOutput.write(lines, to: STDOUT_FILENO) }

  /// Writes a line to standard error.
  static func complain(_ line: String) { _ = DescriptorOutput.write(Array((line + "\n").utf8), to: STDERR_FILENO) }
}

/// What a command cannot do, in a sentence for a person.
struct CommandError: Error, Sendable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// How a command ends (sysexits.h where it has a number for it).
enum CommandStatus {
  static let failure = ExitCode(1)
  static let badData = ExitCode(65)
  static let badConfiguration = ExitCode(ExitStatus.configuration)
}

/// Runs a command's work, and turns what it throws into a sentence on standard error and an exit status.
func reporting(_ work: () async throws -> Void) async throws {
  // A reader that goes away (`| head`) is an end like another, not a signal.
  signal(SIGPIPE, SIG_IGN)
  do {
    try await work()
  } catch let code as ExitCode {
    throw code
  } catch {
    Console.complain("martletctl: \(error)")
    if error is ConfigurationError { throw CommandStatus.badConfiguration }
    throw (error as? StoreError)?.code == .invalidAccount ? CommandStatus.badData : CommandStatus.failure
  }
}
