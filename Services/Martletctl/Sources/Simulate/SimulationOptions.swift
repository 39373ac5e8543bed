import ArgumentParser
import Models
import ServiceRuntime

/// What a simulation takes whose device speaks MQTT and is commanded.
struct SimulationOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Makes it the same each time; random when left out.", valueName: "number"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("What it does with commands: obey, reject, or silent (hears them and does nothing).", valueName: "manner"))
  var commands = CommandManner.obey

  @OptionGroup(title: "Servers") var mqtt: MQTTOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  /// Plays a device until it is done, or Ctrl-C.
  ///
  /// - Parameters:
  ///   - interval: real seconds between two steps.
  ///   - speed: how many times faster the device's world is.
  func play<Device: SimulatedDevice>(
    _ appliance: String, interval: Double, speed: Double, as device: (ApplianceID, _ seed: UInt64) -> Device
  ) async throws {
    try await reporting {
      let seed = seed ?? .random(in: 0...UInt64.max)
      let simulation = try DeviceSimulation(
        device(ApplianceID(appliance), seed), interval: interval, speed: speed, values: ConfigurationValues(mqtt, file),
        logger: Connections.logger)
      Console.say("simulating \(appliance) with seed \(seed); stop with Ctrl-C")
      try await simulation.run()
    }
  }
}
