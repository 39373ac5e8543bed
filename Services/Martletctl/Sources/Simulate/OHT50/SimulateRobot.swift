import ArgumentParser
import Models
import ServiceRuntime

struct SimulateRobot: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "robot",
    abstract: "Plays a robot of the OHT-50 document over MQTT until Ctrl-C.",
    discussion: """
      It drives one mission after the other along its rail and tells its telemetry, its missions, the zones that it enters, and now and then an e-stop, an error, a failing \
      module or a change of its configuration. It obeys emergency_stop, and stands until the stop is cleared, after half a minute. With the same seed it drives the same.
      """)

  @Argument(help: "The robot's appliance id.")
  var appliance = "OHT-50-001"

  @Option(help: ArgumentHelp("Telemetry a second.", valueName: "Hz"))
  var rate = 10.0

  @Option(help: ArgumentHelp("How many times faster than a real robot.", valueName: "factor"))
  var speed = 1.0

  @Option(help: ArgumentHelp("Ends after so many missions.", valueName: "count"))
  var missions: Int?

  @OptionGroup var simulation: SimulationOptions

  func validate() throws {
    do { _ = try ApplianceID(appliance) } catch { throw ValidationError(error.description) }
    guard (0.1...1000).contains(rate) else { throw ValidationError("--rate wants 0.1 to 1000 Hz.") }
    guard (0.01...1000).contains(speed) else { throw ValidationError("--speed wants 0.01 to 1000.") }
    guard missions ?? 1 > 0 else { throw ValidationError("--missions wants 1 or more.") }
  }

  func run() async throws {
    try await simulation.play(appliance, interval: 1 / rate, speed: speed) { appliance, seed in
      SimulatedRobot(appliance, Robot(seed: seed), rate_hz: rate, manner: simulation.commands, missionsMax: missions ?? .max)
    }
  }
}
