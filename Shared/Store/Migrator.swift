package import PostgresClient

/// Brings a database's schema to what this build needs: each migration once, in order, in a transaction of its own.
///
/// Any number of processes may do so at the same time: one works, the others wait for it and find nothing left to do.
package struct Migrator: Sendable {
  private let migrations: [Migration]

  package init(_ migrations: [Migration] = Migration.all) {
    self.migrations = migrations
  }

  /// Applies what is missing.
  ///
  /// - Parameters:
  ///   - connection: of the role that owns the database; it creates the services' roles too.
  ///   - timeout: for all of it, the wait for another process that migrates included.
  /// - Returns: the files that were applied.
  /// - Throws: `StoreError` `.migrationEdited`, `.migrationFailed`, `.schemaTooNew`; `PostgresError`.
  package func migrate(_ connection: PostgresConnection, timeout: Duration = .seconds(120)) async throws -> [String] {
    try await connection.run(timeout: timeout) { session in
      try session.execute("SELECT pg_advisory_lock(\(Self.lock))")
      defer { _ = try? session.execute("SELECT pg_advisory_unlock(\(Self.lock))") }
      try session.executeScript(Self.createTable)
      let missing = try missing(in: session)
      for migration in missing { try apply(migration, in: session) }
      return missing.map(\.file)
    }
  }

  /// Which files `migrate` would apply; checks what is applied like `migrate` does, and changes nothing.
  package func pending(_ connection: PostgresConnection) async throws -> [String] {
    try await connection.run { session in
      let exists = try session.query("SELECT to_regclass('schema_migrations') IS NOT NULL").decode(Bool.self)
      return exists == [true] ? try missing(in: session).map(\.file) : migrations.map(\.file)
    }
  }

  /// What a service asks at start.
  ///
  /// - Throws: `StoreError` `.schemaTooOld` when a migration is missing, and what `migrate` would throw.
  package func requireCurrent(_ connection: PostgresConnection) async throws {
    let pending = try await pending(connection)
    guard let first = pending.first else { return }
    throw StoreError(.schemaTooOld, "The database lacks \(first)\(pending.count > 1 ? " and later ones" : ""): run `martletctl migrate`")
  }

  /// Any number that nobody else locks by; "martlet" in ASCII.
  private static let lock: Int64 = 0x6d_6172_746c_6574

  private static let createTable = """
    SET client_min_messages = warning;
    CREATE TABLE IF NOT EXISTS schema_migrations (
      number integer PRIMARY KEY,
      file text NOT NULL,
      checksum text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    );
    RESET client_min_messages;
    """

  private func missing(in session: PostgresSession) throws -> [Migration] {
    let rows = try session.query("SELECT number, file, checksum FROM schema_migrations ORDER BY number")
    let applied = try rows.decode(Int.self, String.self, String.self)
    for (number, file, checksum) in applied {
      guard let known = migrations.first(where: { $0.number == number }) else {
        throw StoreError(.schemaTooNew, "The database has \(file), which this build does not know: use a newer build")
      }
      guard known.checksum == checksum else {
        throw StoreError(
          .migrationEdited,
          "\(known.file) was edited after it had been applied: restore it as it was, and put the change into a new migration")
      }
    }
    let numbers = Set(applied.map(\.0))
    return migrations.filter { !numbers.contains($0.number) }
  }

  private func apply(_ migration: Migration, in session: PostgresSession) throws {
    do {
      try session.transaction {
        try session.executeScript(migration.sql)
        try session.execute(
          "INSERT INTO schema_migrations (number, file, checksum) VALUES ($1, $2, $3)",
          [.int4(Int32(migration.number)), .text(migration.file), .text(migration.checksum)])
      }
    } catch let error as PostgresError where error.code == .refused {
      throw StoreError(.migrationFailed, "\(migration.file) was refused and nothing of it took effect: \(error)")
    }
  }
}
