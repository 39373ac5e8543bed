import Foundation
import LocalStack

import Testing

/// The program `localstack`, as it is built beside this test bundle.
@Suite struct LocalStackProgramTests {
  private static let program = "\(LocalStackConfiguration([]).executables)/localstack"

  @Test func `Killing the parent leaves no orphan`() async throws {
    try await withFolder { folder in
      try await Tool.run([Self.program, "up", "--folder", folder.path, "--only", "redis", "--only", "postgres"])
      let report = try #require(StackReport.ofRunningStack(in: folder))
      kill(report.process, SIGKILL)
      // The watchdog holds the lock until the last process has gone.
      try await Tool.run(["flock", "-w", "30", folder.lockFile, "true"])
      await #expect(throws: LocalStackError.self) { try await Tool.run(["pgrep", "-f", folder.path]) }
    }
  }

  @Test func `Up and down may be repeated and data stays`() async throws {
    try await withFolder { folder in
      for _ in 0..<2 { try await Tool.run([Self.program, "up", "--folder", folder.path, "--only", "redis"]) }
      let first = try #require(StackReport.ofRunningStack(in: folder)?.redis["admin"])
      let password = try String(contentsOfFile: first.passwordFile, encoding: .utf8)
      try await redis(first, password, "SET", "key", "value")
      for _ in 0..<2 { try await Tool.run([Self.program, "down", "--folder", folder.path]) }
      #expect(StackReport.ofRunningStack(in: folder) == nil)

      try await Tool.run([Self.program, "up", "--folder", folder.path, "--only", "redis"])
      let second = try #require(StackReport.ofRunningStack(in: folder)?.redis["admin"])
      #expect(try await redis(second, password, "GET", "key") == "value")
      try await Tool.run([Self.program, "down", "--folder", folder.path])
    }
  }

  @Test func `A folder in use is refused in one sentence`() async throws {
    try await withFolder { folder in
      try await Tool.run([Self.program, "up", "--folder", folder.path, "--only", "redis"])
      let failure = await #expect(throws: LocalStackError.self) {
        try await Tool.run([Self.program, "run", "--folder", folder.path, "--only", "redis"])
      }
      #expect(failure?.message.contains("is in use by") == true)
      try await Tool.run([Self.program, "down", "--folder", folder.path])
    }
  }

  @Test func `An unknown server is refused by name`() async throws {
    try await withFolder { folder in
      let failure = await #expect(throws: LocalStackError.self) {
        try await Tool.run([Self.program, "up", "--folder", folder.path, "--only", "oracle"])
      }
      #expect(failure?.message.contains("oracle") == true)
    }
  }

  @discardableResult
  private func redis(_ login: StackReport.Login, _ password: String, _ command: String...) async throws -> String {
    let url = try #require(URLComponents(string: login.url))
    let port = try #require(url.port)
    return try await Tool.run(
      ["redis-cli", "-e", "-p", "\(port)", "--no-auth-warning", "--user", "admin"] + command, environment: ["REDISCLI_AUTH": password])
  }

  private func withFolder(_ body: (StackFolder) async throws -> Void) async throws {
    let folder = try StackFolder(nil)
    defer { try? FileManager.default.removeItem(atPath: folder.path) }
    try await body(folder)
  }
}
