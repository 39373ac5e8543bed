import LocalStack
import Models
import PostgresClient
import Testing

@testable import Store

@Suite struct RolesTests {
  @Test func `Each service may do its work and no more`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let denied: [(PostgresServer.Role, String)] = [
        (.gateway, "INSERT INTO users (id, name, role) VALUES ('eve', 'Eve', 'admin')"), (.gateway, "SELECT FROM events"),
        (.gateway, "SELECT make_event_partitions('2026-01-01', '2026-01-01')"), (.gateway, "CREATE TABLE mine (id int)"),
        (.gateway, "SELECT FROM user_passwords"), (.gateway, "SELECT FROM refresh_tokens"), (.gateway, "DELETE FROM revoked_tokens"),
        (.persister, "SELECT FROM user_passwords"), (.ingest, "SELECT FROM user_passwords"), (.api, "DELETE FROM events"),
        (.api, "UPDATE commands SET state = 'sent'"), (.persister, "DELETE FROM cooking_sessions"),
        (.api, "INSERT INTO schema_migrations VALUES (99, '', '')"), (.api, "CREATE TABLE mine (id int)"),
        (.ingest, "SELECT FROM users"), (.persister, "SELECT FROM users"), (.persister, "DELETE FROM events"),
        (.persister, "UPDATE dead_letters SET reason = ''"), (.persister, "CREATE TABLE mine (id int)"), (.persister, "DROP TABLE events"),
      ]
      for (role, sql) in denied {
        let connection = try await postgres.connect(role)
        let error = await #expect(throws: PostgresError.self) { try await connection.execute(sql) }
        #expect(error?.sqlState == "42501", "\(role): \(sql)")
      }
      for role in [PostgresServer.Role.gateway, .ingest, .persister, .api] {
        try await Migrator().requireCurrent(postgres.connect(role))
      }
    }
  }
}
