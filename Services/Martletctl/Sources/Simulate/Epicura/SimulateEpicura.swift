import ArgumentParser
import Models
import ServiceRuntime

struct SimulateEpicura: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "epicura",
    abstract: "Plays a cooker that publishes its sessions over MQTT until Ctrl-C.",
    discussion: """
      The cooker says that it is online (retained; its last will says offline), and cooks one recipe after the other: started, \
      progress, stage changes, complete, now and then an error or an alert. With the same seed it cooks the same.

      It hears commands on a connection of its own, and answers them: start, pause, resume, stop. Once stopped, it waits for a start.
      """)

  @Argument(help: "The cooker's appliance id.")
  var appliance = "EPIC-001"

  @Option(help: ArgumentHelp("Seconds between two reports of progress.", valueName: "seconds"))
  var interval = 5.0

  @Option(help: ArgumentHelp("How many times faster than a real cooker.", valueName: "factor"))
  var speed = 10.0

  @Option(help: ArgumentHelp("Ends after so many sessions.", valueName: "count"))
  var sessions: Int?

  @Option(help: ArgumentHelp("Makes the sessions the same each time; random when left out.", valueName: "number"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("What it does with commands: obey, reject, or silent (hears them and does nothing).", valueName: "manner"))
  var commands = CommandManner.obey

  @Flag(help: "Begins no session by itself, only when a command says so.")
  var waits = false

  @OptionGroup(title: "Servers") var mqtt: MQTTOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func validate() throws {
    do { _ = try ApplianceID(appliance) } catch { throw ValidationError(error.description) }
    guard (0.01...3600).contains(interval) else { throw ValidationError("--interval wants 0.01 to 3600 seconds.") }
    guard (0.01...10_000).contains(speed) else { throw ValidationError("--speed wants 0.01 to 10000.") }
    guard sessions ?? 1 > 0 else { throw ValidationError("--sessions wants 1 or more.") }
  }

  func run() async throws {
    try await reporting {
      let seed = seed ?? .random(in: 0...UInt64.max)
      let cooker = SimulatedCooker(
        try ApplianceID(appliance), EpicuraCooker(seed: seed, waitsForStart: waits), manner: commands, sessionsMax: sessions ?? .max)
      let simulation = try DeviceSimulation(
        cooker, interval: interval, speed: speed, values: ConfigurationValues(mqtt, file), logger: Connections.logger)
      Console.say("simulating \(appliance) with seed \(seed); stop with Ctrl-C")
      try await simulation.run()
    }
  }
}
