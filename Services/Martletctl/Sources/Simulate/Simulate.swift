import ArgumentParser

struct Simulate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Plays a device.",
    subcommands: [SimulateEpicura.self, SimulateHeater.self, SimulateRobot.self, SimulateCamera.self, SimulateWebMACS.self])
}
