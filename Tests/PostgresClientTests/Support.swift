import LocalStack
import Logging
import PostgresClient

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension PostgresServer {
  func configuration(
    _ role: Role = .owner, password: String? = nil, connectTimeout: Duration = .seconds(10), callTimeout: Duration = .seconds(30),
    options: String = ""
  ) throws -> PostgresConfiguration {
    try PostgresConfiguration(
      url: url(role) + options, password: password ?? self.password(role), applicationName: "martlet-tests",
      connectTimeout: connectTimeout, callTimeout: callTimeout)
  }

  func connect(_ role: Role = .owner, callTimeout: Duration = .seconds(30)) async throws -> PostgresConnection {
    try await PostgresConnection.connect(configuration(role, callTimeout: callTimeout), logger: quiet)
  }

  /// Waits until `sql`, run as the superuser, answers `t`.
  func wait(until sql: String) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while try await !query(sql).hasPrefix("t") {
      guard ContinuousClock.now < deadline else { throw PostgresError(.timeout, message: "never came true: \(sql)") }
      await Task.yield()
    }
  }
}

/// The error of a call that must fail.
func failure(_ body: () async throws -> some Sendable) async -> PostgresError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error as? PostgresError
  }
}
