import ArgumentParser
import Models
import ServerURL
import ServiceLifecycle
import ServiceRuntime
import UnixSignals

struct SimulateHeater: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "heater",
    abstract: "Plays a heater module of the reefnet document until Ctrl-C, over MQTT or WebSocket.",
    discussion: """
      It keeps water at its setpoint, tells its status every second, guards itself, and raises and clears the document's alarms when something goes wrong: now and \
      then, or soon and once with --fault. It obeys control frames, legacy ones too. With the same seed the same goes wrong. \
      With --url it connects to a gateway instead of the broker; the secret or token that proves who it is comes in MARTLET_DEVICE_SECRET.
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

  @Option(help: ArgumentHelp("The gateway's endpoint, such as ws://127.0.0.1:8080/ws/reefnet; MQTT when left out.", valueName: "url"))
  var url: String?

  @OptionGroup(title: "Servers") var mqtt: MQTTOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func validate() throws {
    do { _ = try ApplianceID(appliance) } catch { throw ValidationError(error.description) }
    guard (0.01...60).contains(interval) else { throw ValidationError("--interval wants 0.01 to 60 seconds.") }
    guard (0.01...1000).contains(speed) else { throw ValidationError("--speed wants 0.01 to 1000.") }
    do {
      guard try endpoint?.user == nil, url?.contains("?") != true else {
        throw ValidationError("--url is kept free of credentials: they go into MARTLET_DEVICE_SECRET.")
      }
    } catch let error as ServerURL.Malformed {
      throw ValidationError("--url cannot be used: \(error.reason).")
    }
  }

  private var endpoint: ServerURL? {
    get throws(ServerURL.Malformed) {
      guard let url else { return nil }
      return try ServerURL(url, defaultPorts: ["ws": 80])
    }
  }

  func run() async throws {
    try await reporting {
      let seed = seed ?? .random(in: 0...UInt64.max)
      let heater = SimulatedHeater(try ApplianceID(appliance), seed: seed, plan: fault)
      Console.say("simulating \(appliance) with seed \(seed); stop with Ctrl-C")
      guard let endpoint = try endpoint else {
        let values = try ConfigurationValues(mqtt, file)
        return try await DeviceSimulation(heater, interval: interval, speed: speed, values: values, logger: Connections.logger).run()
      }
      try await play(heater, at: endpoint)
    }
  }

  private func play(_ heater: SimulatedHeater, at endpoint: ServerURL) async throws {
    let secret = try ConfigurationValues(file).optionalSecret(.deviceSecret)
    let connection = HeaterConnection(
      heater, socket: DeviceSocket(url: endpoint, query: "", secret: secret), interval: interval, speed: speed)
    var group = ServiceGroupConfiguration(
      services: [
        .init(service: connection, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .cancelGroup)
      ], gracefulShutdownSignals: [.sigterm, .sigint], logger: Connections.logger)
    group.maximumGracefulShutdownDuration = .seconds(5)
    try await ServiceGroup(configuration: group).run()
  }
}
