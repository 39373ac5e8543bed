import LocalStack
import Logging
import PostgresClient
import Store
import Testing

/// What deploy/OPERATING.md says of backups, upgrades and lost events is done, by its own lines.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RunbookTests {
  private static let parts = 4

  @Test func `A database that is lost comes back from its backup, and what the log and the broker hold is stored once`() async throws {
    let load = NumberedLoad(appliances: ["RESTORE-1", "RESTORE-2"], telemetryCount: 400, discreteCount: 400)
    let runbook = try Runbook("Backup and restore")
    try await run(load.appliances) { backbone in
      let mosquitto = try backbone.stack.mosquitto
      try await load.publish(part: 0, of: Self.parts, to: mosquitto)
      try await backbone.waitForCount(load.total / 4)
      try await backbone.follow(runbook.backup)

      // Stored and trimmed since the backup: lost with the database.
      try await load.publish(part: 1, of: Self.parts, to: mosquitto)
      try await backbone.waitForCount(load.total / 2)
      try await backbone.waitUntilTrimmed()

      // Into the log, which nobody can store.
      try await backbone.losePostgres()
      try await load.publish(part: 2, of: Self.parts, to: mosquitto)
      for line in runbook.restore {
        try await backbone.follow(line)
        // Into the broker, while nobody is there to hear it.
        if line.contains(" stop ") { try await load.publish(part: 3, of: Self.parts, to: mosquitto) }
      }
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: load.appliances) { app in
        try await load.publishEnd(to: mosquitto)
        for appliance in load.appliances { _ = try await app.event("cooking:complete") { $0["appliance_id"]?.string == appliance } }
      }
      try await backbone.waitUntilRulesHaveRead()
      try await backbone.waitForRow(
        "1200|1200|0",
        """
        SELECT count(*), count(DISTINCT (appliance_id, type, data->>'n')), count(*) FILTER (WHERE (data->>'n')::int BETWEEN 100 AND 199)
        FROM events WHERE data->>'n' IS NOT NULL
        """)
    }
  }

  @Test func `Services of before a migration go on with it, say why they do not start with it, and come back with the backup`() async throws
  {
    let load = NumberedLoad(appliances: ["UPGRADE-1", "UPGRADE-2"], telemetryCount: 1_000, discreteCount: 400)
    let (upgrading, backups) = (try Runbook("Upgrading"), try Runbook("Backup and restore"))
    let newer = Migration(
      number: Migration.all.count + 1, file: "9999_newer.sql",
      sql: """
        ALTER TABLE events ADD COLUMN note text;
        CREATE TABLE newer (user_id text REFERENCES users);
        CREATE INDEX newer_types ON events (type);
        """)
    let refusal = "The database has 9999_newer.sql, which this build does not know"
    try await run(load.appliances) { backbone in
      let stack = backbone.stack
      try await backbone.follow(backups.backup)
      let migrate = try upgrading.code("docker compose run --rm migrate")
      let preview = try upgrading.code("docker compose run --rm migrate migrate --dry-run")
      for line in [migrate, preview] { #expect(try await backbone.follow(line) == "the schema is up to date") }

      try await backbone.during(load, part: 0, of: Self.parts) {
        let postgres = try stack.postgres
        let owner = try await PostgresConnection.connect(
          PostgresConfiguration(url: postgres.url(.owner), password: postgres.password(.owner)), logger: Logger(label: "test"))
        #expect(try await Migrator(Migration.all + [newer]).migrate(owner) == ["9999_newer.sql"])
        await owner.close()
      }
      for part in 1..<Self.parts { try await load.publish(part: part, of: Self.parts, to: stack.mosquitto) }
      try await load.publishEnd(to: stack.mosquitto)
      try await load.waitUntilStored(in: backbone, limit: .seconds(60))
      try await backbone.waitUntilTrimmed()

      for line in [migrate, preview] {
        let error = await #expect(throws: LocalStackError.self) { try await backbone.follow(line) }
        #expect(error?.message.contains(refusal) == true)
      }
      for service in ["persister-1", "rules-1"] {
        try await stack.stop(service)
        let error = await #expect(throws: LocalStackError.self) { try await stack.start(service) }
        #expect(error?.message.contains(refusal) == true)
      }

      for line in backups.restore { try await backbone.follow(line) }
      try await load.publishEnd(to: stack.mosquitto)
      try await backbone.waitForRow("2", "SELECT count(*) FROM events WHERE type = 'cooking:complete' AND to_regclass('newer') IS NULL")
    }
  }

  @Test func `An event is found where it is: among dead letters, taken for a repetition, in the log, in the table`() async throws {
    let runbook = try Runbook("Finding a lost event")
    try await run(["EPIC-001"]) { backbone in
      let (stack, mosquitto) = (backbone.stack, try backbone.stack.mosquitto)
      @Sendable func publish(_ text: String) async throws {
        try await mosquitto.publish("-q", "1", "-t", "epicura/EPIC-001/alert", "-m", text)
      }
      @Sendable func ask(_ query: String) async throws -> String { try await stack.postgres.query(runbook.code(query)) }

      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: ["EPIC-001"]) { app in
        try await publish("{not json")
        for _ in 1...2 { try await publish(#"{"message_id":"m-1","alert_type":"first"}"#) }
        let first = try await app.event("appliance:alert")
        try await backbone.waitUntilTrimmed()
        let letter = try await ask("SELECT received_at, topic, reason")
        #expect(letter.contains("|epicura/EPIC-001/alert|") && letter.hasSuffix("|{not json"))
        let repetitions = try runbook.code("martlet_ingest_duplicates_total") + " 1\n"
        #expect(try await stack.service("ingest-1").metrics().contains(repetitions))

        try await stack.stop("persister-1")
        try await publish(#"{"message_id":"m-2","alert_type":"second"}"#)
        _ = try await app.event("appliance:alert") { $0["data"]?["alert_type"]?.string == "second" }
        let shard = try await ask("SELECT DISTINCT shard")
        let logged = try runbook.code("XREVRANGE events:{7}").replacing("{7}", with: "{\(shard)}").split(separator: " ").map(String.init)
        #expect(try await stack.redis.run(logged).contains("second"))
        let stored = "SELECT received_at, (extract"
        let stale = try await ask(stored)
        #expect(stale.contains("first") && !stale.contains("second"))

        try await stack.start("persister-1")
        try await backbone.waitUntilTrimmed()
        #expect(try await stack.redis.run(logged).isEmpty)
        let rows = try await ask(stored).split(separator: "\n")
        #expect(rows.map { $0.contains("second") } == [true, false])
        #expect(rows.last?.split(separator: "|")[1].description == first["id"]?.string)
      }
    }
  }

  private func run(_ appliances: [String], _ body: @Sendable (Backbone) async throws -> Void) async throws {
    try await Backbone.run(appliances: appliances, gateways: 1, rules: 1) { backbone in
      // As the first user of PostgreSQL's image is.
      _ = try await backbone.stack.postgres.query("ALTER ROLE martlet SUPERUSER")
      try await body(backbone)
    }
  }
}

extension Runbook {
  fileprivate var backup: String { commands.first { $0.contains(" pg_dump ") } ?? "" }
  fileprivate var restore: [String] { commands.filter { !$0.contains(" pg_dump ") } }
}

extension Backbone {
  fileprivate func waitForCount(_ count: Int) async throws { try await waitForRow(String(count), "SELECT count(*) FROM events") }

  /// Waits until every consumer has what the log had, and the log is empty.
  fileprivate func waitUntilTrimmed() async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    for shard in 0..<16 {
      while try await stack.redis.cli("XLEN", "events:{\(shard)}") != "0" {
        guard ContinuousClock.now < deadline else { throw Mailbox.Expired(description: "shard \(shard) is not trimmed after 30 s") }
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }
}
