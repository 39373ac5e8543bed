import ArgumentParser
import Backoff
import Models
import ServerURL
import ServiceLifecycle
import ServiceRuntime
import UnixSignals

struct SimulateCamera: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "camera",
    abstract: "Plays a camera at the signaling broker until Ctrl-C, without a picture.",
    discussion: """
      The camera says hello, keeps its connection alive, comes back when it is lost, and answers every offer with a description that refuses \
      each stream: what is shown is the signaling, not a picture. The secret or token that proves who it is comes in MARTLET_DEVICE_SECRET.
      """)

  @Argument(help: "The camera's appliance id.")
  var appliance = "kitchen-cam-001"

  @Option(help: ArgumentHelp("The broker's endpoint, ws:// only.", valueName: "url"))
  var url = "ws://127.0.0.1:8080/ws/device"

  @OptionGroup(title: "The broker") var file: ConfigFileOption

  func validate() throws {
    do { _ = try ApplianceID(appliance) } catch { throw ValidationError(error.description) }
    do {
      guard try endpoint.user == nil, !url.contains("?") else {
        throw ValidationError("--url is kept free of credentials: they go into MARTLET_DEVICE_SECRET.")
      }
    } catch let error as ServerURL.Malformed {
      throw ValidationError("--url cannot be used: \(error.reason).")
    }
  }

  private var endpoint: ServerURL { get throws(ServerURL.Malformed) { try ServerURL(url, defaultPorts: ["ws": 80]) } }

  func run() async throws {
    try await reporting {
      let connection = CameraConnection(
        socket: DeviceSocket(url: try endpoint, query: "", secret: try ConfigurationValues(file).optionalSecret(.deviceSecret)),
        play: CameraPlay(device: try ApplianceID(appliance)), say: { Console.say(EventLine.visible($0)) })
      connection.say("simulating the camera \(appliance); stop with Ctrl-C")
      var group = ServiceGroupConfiguration(
        services: [
          .init(
            service: SimulatedCamera(connection: connection), successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .cancelGroup)
        ], gracefulShutdownSignals: [.sigterm, .sigint], logger: Connections.logger)
      group.maximumGracefulShutdownDuration = .seconds(5)
      try await ServiceGroup(configuration: group).run()
    }
  }
}

/// Connects again whenever the connection is lost, until it is to stop or the broker does not want this camera.
struct SimulatedCamera: Service {
  let connection: CameraConnection

  func run() async throws {
    // The document: "Exponential backoff on disconnect".
    var backoff = Backoff(shortest: .seconds(1), longest: .seconds(30))
    while !Task.isCancelled, !Task.isShuttingDownGracefully {
      switch await connection.run() {
      case .stopped: return
      case .refused(let reason): throw CommandError("The broker refused the camera: \(reason).")
      case .lost(let reason, let wasWelcome):
        if wasWelcome { backoff.reset() }
        connection.say("\(reason); trying again")
        let wait = backoff.next()
        do { try await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) } } catch { return }
      }
    }
  }
}

extension ConfigurationVariable {
  static let deviceSecret = ConfigurationVariable(
    "MARTLET_DEVICE_SECRET", isSecret: true,
    meaning: "what a simulated camera, controller or heater proves itself with: its secret, or a token made for it")
}
