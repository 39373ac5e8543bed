import ArgumentParser
import PostgresClient
import ServiceRuntime
import Store

struct Migrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Brings the database's schema up to date.",
    discussion: """
      Each migration is applied once, in order, in a transaction of its own; any number of these may run at a time. It connects \
      as the database's owner, who may create roles.
      """)

  @Flag(help: "Say what would be applied, and apply nothing.")
  var dryRun = false

  @OptionGroup(title: "Servers") var postgres: PostgresOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func run() async throws {
    try await reporting {
      let connection = try await PostgresConnection.connect(ConfigurationValues(postgres, file).postgres(), logger: Connections.logger)
      let migrator = Migrator()
      let files = dryRun ? try await migrator.pending(connection) : try await migrator.migrate(connection)
      await connection.close()
      for file in files { Console.say("\(dryRun ? "pending" : "applied") \(file)") }
      if files.isEmpty { Console.say("the schema is up to date") }
    }
  }
}
