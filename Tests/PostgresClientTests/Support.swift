import LocalStack
import Logging
import PostgresClient

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension PostgresServer {
  /// Patient, since a machine that runs many tests is slow; what is to end early gets a limit of its own.
  func configuration(_ role: Role = .owner, password: String? = nil) throws -> PostgresConfiguration {
    var configuration = try PostgresConfiguration(
      url: url(role), password: password ?? self.password(role), applicationName: "martlet-tests", connectTimeout: .seconds(30),
      callTimeout: .seconds(60))
    configuration.cancelGrace = .seconds(30)
    return configuration
  }

  func connect(cancelGrace: Duration = .seconds(30)) async throws -> PostgresConnection {
    var configuration = try configuration()
    configuration.cancelGrace = cancelGrace
    return try await PostgresConnection.connect(configuration, logger: quiet)
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
