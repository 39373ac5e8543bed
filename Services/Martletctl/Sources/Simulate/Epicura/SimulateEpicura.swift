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

  @Flag(help: "Begins no session by itself, only when a command says so.")
  var waits = false

  @OptionGroup var simulation: SimulationOptions

  func validate() throws {
    do { _ = try ApplianceID(appliance) } catch { throw ValidationError(error.description) }
    guard (0.01...3600).contains(interval) else { throw ValidationError("--interval wants 0.01 to 3600 seconds.") }
    guard (0.01...10_000).contains(speed) else { throw ValidationError("--speed wants 0.01 to 10000.") }
    guard sessions ?? 1 > 0 else { throw ValidationError("--sessions wants 1 or more.") }
  }

  func run() async throws {
    try await simulation.play(appliance, interval: interval, speed: speed) { appliance, seed in
      SimulatedCooker(
        appliance, EpicuraCooker(seed: seed, waitsForStart: waits), manner: simulation.commands, sessionsMax: sessions ?? .max)
    }
  }
}
