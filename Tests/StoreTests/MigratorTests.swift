import Foundation
import LocalStack
import PostgresClient
import Testing

@testable import Store

@Suite struct MigratorTests {
  private static let two = [
    Migration(number: 1, file: "0001_first.sql", sql: "CREATE TABLE first (id int);"),
    Migration(number: 2, file: "0002_second.sql", sql: "CREATE TABLE second (id int); INSERT INTO second VALUES (1);"),
  ]

  @Test func `Every file of the folder is in the program, in order and unchanged`() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Shared/Store/Migrations").standardized
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted()
    #expect(files == Migration.all.map(\.file))
    for (index, migration) in Migration.all.enumerated() {
      #expect(migration.number == index + 1 && migration.file.hasPrefix(String(format: "%04d_", migration.number)))
      #expect(try migration.sql == String(contentsOf: folder.appending(path: migration.file), encoding: .utf8))
    }
  }

  @Test func `Each migration is applied once`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      #expect(try await Migrator(Self.two).pending(connection) == ["0001_first.sql", "0002_second.sql"])
      #expect(try await Migrator([Self.two[0]]).migrate(connection) == ["0001_first.sql"])
      #expect(try await Migrator(Self.two).migrate(connection) == ["0002_second.sql"])
      #expect(try await Migrator(Self.two).migrate(connection).isEmpty)
      #expect(try await connection.query("SELECT count(*) FROM second").decode(Int.self) == [1])
      try await Migrator(Self.two).requireCurrent(connection)
    }
  }

  @Test func `Replicas that start together apply each migration once between them`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let applied = try await withThrowingTaskGroup(of: [String].self) { group in
        for _ in 0..<8 { group.addTask { try await Migrator().migrate(postgres.connect()) } }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(applied == Migration.all.map(\.file))
    }
  }

  @Test func `An edited migration is refused by name, and nothing is applied`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      _ = try await Migrator([Self.two[0]]).migrate(connection)
      let edited = Migration(number: 1, file: "0001_first.sql", sql: "CREATE TABLE first (id bigint);")
      let error = await #expect(throws: StoreError.self) { try await Migrator([edited, Self.two[1]]).migrate(connection) }
      #expect(error?.code == .migrationEdited && error?.description.contains("0001_first.sql") == true)
      #expect(try await connection.query("SELECT to_regclass('second') IS NULL").decode(Bool.self) == [true])
    }
  }

  @Test func `A migration that fails leaves nothing behind and is told`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      let broken = Migration(number: 2, file: "0002_broken.sql", sql: "CREATE TABLE half (id int); SELECT 1 / 0;")
      let error = await #expect(throws: StoreError.self) { try await Migrator([Self.two[0], broken]).migrate(connection) }
      #expect(error?.code == .migrationFailed && error?.description.contains("0002_broken.sql") == true)
      #expect(try await connection.query("SELECT to_regclass('half') IS NULL").decode(Bool.self) == [true])
      #expect(try await Migrator(Self.two).migrate(connection) == ["0002_second.sql"])
    }
  }

  @Test func `A database that is newer or older than the build is told apart`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      let unmigrated = await #expect(throws: StoreError.self) { try await Migrator(Self.two).requireCurrent(connection) }
      #expect(unmigrated?.code == .schemaTooOld)
      _ = try await Migrator(Self.two).migrate(connection)
      let error = await #expect(throws: StoreError.self) { try await Migrator([Self.two[0]]).migrate(connection) }
      #expect(error?.code == .schemaTooNew && error?.description.contains("0002_second.sql") == true)
    }
  }
}
