import ArgumentParser
import Models
import RedisClient
import ServiceLifecycle
import ServiceRuntime
import Store
import UnixSignals

struct Tail: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows live events, one a line, until Ctrl-C.",
    discussion: """
      Without an appliance, those of all appliances in the database, also of such as are added meanwhile. Events that pass while \
      the connection to Redis is lost are not shown; that it was lost is told.
      """)

  @Argument(help: "The appliance's id.")
  var appliance: String?

  @Flag(help: "Show each event as its JSON.")
  var json = false

  @OptionGroup(title: "Servers") var redis: RedisOptions
  @OptionGroup(title: "Servers") var postgres: PostgresOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func validate() throws {
    guard let appliance else { return }
    do { _ = try ApplianceID(appliance) } catch { throw ValidationError(error.description) }
  }

  func run() async throws {
    try await reporting {
      let values = try ConfigurationValues(redis, postgres, file)
      let configuration = try values.redis()
      try await RedisClient.check(configuration, eventLoop: Connections.eventLoop)
      if let appliance {
        let one = try ApplianceID(appliance)
        try await follow(configuration) { [one] }
      } else {
        try await Connections.withAccounts(values) { store in
          try await follow(configuration) { Set(try await store.accounts().appliances.keys) }
        }
      }
    }
  }

  private func follow(_ configuration: RedisConfiguration, appliances: @escaping LiveTail.Appliances) async throws {
    let tail = try await LiveTail(configuration, appliances: appliances, style: json ? .json : .readable)
    var group = ServiceGroupConfiguration(
      services: [
        .init(service: tail.subscription),
        .init(service: tail, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup),
      ], gracefulShutdownSignals: [.sigterm, .sigint], logger: Connections.logger)
    group.maximumGracefulShutdownDuration = .seconds(2)
    try await ServiceGroup(configuration: group).run()
  }
}
