import Foundation
import LocalStack
import Logging
import PostgresClient
import Store

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A PostgreSQL of its own, migrated, whose services can log in.
func withMigratedDatabase<R>(_ body: (PostgresServer, PostgresConnection) async throws -> R) async throws -> R {
  try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
    let postgres = try stack.postgres
    let owner = try await postgres.connect()
    _ = try await Migrator().migrate(owner)
    try await postgres.grantLogins()
    return try await body(postgres, owner)
  }
}

extension PostgresServer {
  func configuration(_ role: Role = .owner) throws -> PostgresConfiguration {
    try PostgresConfiguration(url: url(role), password: password(role))
  }

  func connect(_ role: Role = .owner) async throws -> PostgresConnection {
    try await PostgresConnection.connect(configuration(role), logger: quiet)
  }
}
