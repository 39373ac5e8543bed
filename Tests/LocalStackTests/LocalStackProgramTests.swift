import Foundation
import LocalStack
import Subprocess
import Testing

/// The program `localstack`, as it is built beside this test bundle.
@Suite struct LocalStackProgramTests {
  private static let program = "\(LocalStackConfiguration([]).executables)/localstack"

  @Test func killingTheParentLeavesNoOrphan() async throws {
    try await withFolder { folder in
      try await Program.run(Self.program, "up", "--folder", folder.path, "--only", "redis", "--only", "postgres")
      let report = try #require(StackReport.ofRunningStack(in: folder))
      kill(report.process, SIGKILL)
      // The watchdog holds the lock until the last process has gone.
      try await Program.run("flock", "-w", "30", folder.lockFile, "true")
      await #expect(throws: Program.Failure.self) { try await Program.run("pgrep", "-f", folder.path) }
    }
  }

  @Test func upAndDownMayBeRepeatedAndDataStays() async throws {
    try await withFolder { folder in
      for _ in 0..<2 { try await Program.run(Self.program, "up", "--folder", folder.path, "--only", "redis") }
      let first = try #require(StackReport.ofRunningStack(in: folder)?.redis["admin"])
      let password = try String(contentsOfFile: first.passwordFile, encoding: .utf8)
      try await redis(first, password, "SET", "key", "value")
      for _ in 0..<2 { try await Program.run(Self.program, "down", "--folder", folder.path) }
      #expect(StackReport.ofRunningStack(in: folder) == nil)

      try await Program.run(Self.program, "up", "--folder", folder.path, "--only", "redis")
      let second = try #require(StackReport.ofRunningStack(in: folder)?.redis["admin"])
      #expect(try await redis(second, password, "GET", "key") == "value")
      try await Program.run(Self.program, "down", "--folder", folder.path)
    }
  }

  @Test func aFolderInUseIsRefusedInOneSentence() async throws {
    try await withFolder { folder in
      try await Program.run(Self.program, "up", "--folder", folder.path, "--only", "redis")
      let failure = await #expect(throws: Program.Failure.self) {
        try await Program.run(Self.program, "run", "--folder", folder.path, "--only", "redis")
      }
      #expect(failure?.standardError.contains("is in use by") == true)
      try await Program.run(Self.program, "down", "--folder", folder.path)
    }
  }

  @Test func anUnknownServerIsRefusedByName() async throws {
    try await withFolder { folder in
      let failure = await #expect(throws: Program.Failure.self) {
        try await Program.run(Self.program, "up", "--folder", folder.path, "--only", "oracle")
      }
      #expect(failure?.standardError.contains("oracle") == true)
    }
  }

  @discardableResult
  private func redis(_ login: StackReport.Login, _ password: String, _ command: String...) async throws -> String {
    let url = try #require(URLComponents(string: login.url))
    let port = try #require(url.port)
    return try await Program.run(
      ["redis-cli", "-e", "-p", "\(port)", "--no-auth-warning", "--user", "admin"] + command, environment: ["REDISCLI_AUTH": password])
  }

  private func withFolder(_ body: (StackFolder) async throws -> Void) async throws {
    let folder = try StackFolder(nil)
    defer { try? FileManager.default.removeItem(atPath: folder.path) }
    try await body(folder)
  }
}
