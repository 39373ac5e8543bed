import ArgumentParser
import Models
import ServiceRuntime

struct SimulateHeater: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "heater",
    abstract: "Plays a heater module of the reefnet document over MQTT until Ctrl-C.",
    discussion: """
      It keeps water at its setpoint, tells its status every second, guards itself, and raises and clears the document's alarms when something goes wrong: now and \
      then, or soon and once with --fault. It obeys control frames, legacy ones too. With the same seed the same goes wrong.
      """)

  @Argument(help: "The module's appliance id.")
  var appliance = "PickleHeat.Heater"

  @Option(help: ArgumentHelp("Seconds between two statuses.", valueName: "seconds"))
  var interval = 1.0

  @Option(help: ArgumentHelp("How many times faster than a real heater.", valueName: "factor"))
  var speed = 1.0

  @Option(
    help: ArgumentHelp(
      "What goes wrong, half a minute after the start: \(HeaterFault.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "fault"
    ))
  var fault: HeaterFault?

  @Option(help: ArgumentHelp("Makes it the same each time; random when left out.", valueName: "number"))
  var seed: UInt64?

  @OptionGroup(title: "Servers") var mqtt: MQTTOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func validate() throws {
    do { _ = try ApplianceID(appliance) } catch { throw ValidationError(error.description) }
    guard (0.01...60).contains(interval) else { throw ValidationError("--interval wants 0.01 to 60 seconds.") }
    guard (0.01...1000).contains(speed) else { throw ValidationError("--speed wants 0.01 to 1000.") }
  }

  func run() async throws {
    try await reporting {
      let seed = seed ?? .random(in: 0...UInt64.max)
      let heater = SimulatedHeater(try ApplianceID(appliance), seed: seed, plan: fault)
      let simulation = try DeviceSimulation(
        heater, interval: interval, speed: speed, values: ConfigurationValues(mqtt, file), logger: Connections.logger)
      Console.say("simulating \(appliance) with seed \(seed); stop with Ctrl-C")
      try await simulation.run()
    }
  }
}
