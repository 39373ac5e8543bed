import ArgumentParser
import Backoff
import Models
import NIOCore
import NIOWebSocket
import ServerURL
import ServiceLifecycle
import ServiceRuntime
import Synchronization
import UnixSignals

struct SimulateWebMACS: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "webmacs",
    abstract: "Plays a lab controller that sends batches of readings over WebSocket until Ctrl-C.",
    discussion: """
      Each batch is sent when the one before was acknowledged, again after a lost connection, and shown with its answer. The secret or \
      token that proves which controller it is comes in MARTLET_DEVICE_SECRET. Its sensors must be read by an enabled plugin: `martletctl apply` makes both.
      """)

  @Argument(help: "The controller's appliance id.")
  var appliance = "LAB-1"

  @Option(help: ArgumentHelp("The sensors' ids, separated by commas.", valueName: "ids"))
  var sensors = "oven-temperature,chamber-pressure"

  @Option(help: ArgumentHelp("Seconds between two batches.", valueName: "seconds"))
  var interval = 0.5

  @Option(help: ArgumentHelp("Ends after so many batches.", valueName: "count"))
  var batches: Int?

  @Option(help: ArgumentHelp("Makes the readings the same each time; random when left out.", valueName: "number"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("The gateway's endpoint, ws:// only.", valueName: "url"))
  var url = "ws://127.0.0.1:8080/ws/controller/telemetry"

  @OptionGroup(title: "The gateway") var file: ConfigFileOption

  private var sensorIDs: [String] { sensors.split(separator: ",").map(String.init) }
  private var endpoint: ServerURL { get throws(ServerURL.Malformed) { try ServerURL(url, defaultPorts: ["ws": 80]) } }

  func validate() throws {
    do { _ = try ApplianceID(appliance) } catch { throw ValidationError(error.description) }
    guard (0.01...3600).contains(interval) else { throw ValidationError("--interval wants 0.01 to 3600 seconds.") }
    guard batches ?? 1 > 0 else { throw ValidationError("--batches wants 1 or more.") }
    guard (1...WebMACSBatch.countMax).contains(sensorIDs.count), sensorIDs.allSatisfy(WebMACSDatapoints.isEventID) else {
      throw ValidationError("--sensors wants 1 to \(WebMACSBatch.countMax) ids of 1 to \(WebMACSDatapoints.eventIDLengthMax) characters.")
    }
    do {
      guard try endpoint.user == nil, !url.contains("?") else {
        throw ValidationError("--url is kept free of credentials: they go into MARTLET_DEVICE_SECRET.")
      }
    } catch let error as ServerURL.Malformed {
      throw ValidationError("--url cannot be used: \(error.reason).")
    }
  }

  func run() async throws {
    try await reporting {
      let secret = try ConfigurationValues(file).optionalSecret(.deviceSecret)
      // A token names the controller itself, a secret does not.
      let query = secret?.contains(".") == true ? "?ack=1" : "?ack=1&appliance_id=\(appliance)"
      let simulation = ControllerSimulation(
        socket: DeviceSocket(url: try endpoint, query: query, secret: secret),
        batches: BatchDesk(LabController(sensors: sensorIDs, seed: seed ?? .random(in: 0...UInt64.max)), countMax: batches),
        interval: .seconds(interval))
      Console.say("simulating the controller \(appliance); stop with Ctrl-C")
      var group = ServiceGroupConfiguration(
        services: [
          .init(service: simulation, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .cancelGroup)
        ], gracefulShutdownSignals: [.sigterm, .sigint], logger: Connections.logger)
      group.maximumGracefulShutdownDuration = .seconds(5)
      try await ServiceGroup(configuration: group).run()
    }
  }
}

/// A controller's batches, and which of them is under way: it is sent again over the next connection until it is answered.
final class BatchDesk: Sendable {
  private struct State {
    var controller: LabController
    var open: [UInt8]?
    var answered = 0
  }

  private let state: Mutex<State>
  private let countMax: Int

  init(_ controller: LabController, countMax: Int?) {
    state = Mutex(State(controller: controller))
    self.countMax = countMax ?? .max
  }

  var answeredCount: Int { state.withLock { $0.answered } }

  /// The batch that is to be sent now; nil when there have been enough.
  func next() -> [UInt8]? {
    state.withLock { state in
      guard state.answered < countMax else { return nil }
      let batch = state.open ?? state.controller.batch()
      state.open = batch
      return batch
    }
  }

  func answered() {
    state.withLock { state in
      state.open = nil
      state.answered += 1
    }
  }
}

/// Sends a controller's batches over as many connections as it takes.
struct ControllerSimulation: Service {
  private enum Ending: Sendable {
    case done
    /// The gateway does not want this controller (1008).
    case refused(String)
    case lost(String)
  }

  private typealias Inbound = NIOAsyncChannelInboundStream<WebSocketFrame>
  private typealias Outbound = NIOAsyncChannelOutboundWriter<WebSocketFrame>

  /// The gateway pings every 30 seconds: one that is silent for so long is gone.
  private static let silenceMax = Duration.seconds(90)

  let socket: DeviceSocket
  let batches: BatchDesk
  let interval: Duration

  func run() async throws {
    do { try await cancelWhenGracefulShutdown { try await play() } } catch is CancellationError {}
  }

  private func play() async throws {
    var backoff = Backoff(shortest: .seconds(1), longest: .seconds(30))
    while true {
      let before = batches.answeredCount
      switch await connect() {
      case .done: return
      case .refused(let reason): throw CommandError("The gateway refused the controller: \(reason).")
      case .lost(let reason):
        try Task.checkCancellation()
        Console.say(EventLine.visible("\(reason); trying again"))
        if batches.answeredCount > before { backoff.reset() }
        try await Task.sleep(for: backoff.next())
      }
    }
  }

  private func connect() async -> Ending {
    do {
      guard let channel = try await socket.connect() else { return .lost(socket.refusal) }
      return try await channel.executeThenClose { inbound, outbound in
        let heard = ConnectionFlag()
        return try await withThrowingTaskGroup(of: Ending.self) { group in
          group.addTask {
            repeat { try await Task.sleep(for: Self.silenceMax) } while heard.lower()
            return .lost("the gateway is silent")
          }
          group.addTask { try await send(inbound, outbound, heard) }
          defer { group.cancelAll() }
          return try await group.next() ?? .done
        }
      }
    } catch {
      return .lost(String(describing: error))
    }
  }

  private func send(_ inbound: Inbound, _ outbound: Outbound, _ heard: ConnectionFlag) async throws -> Ending {
    var frames = inbound.makeAsyncIterator()
    while let batch = batches.next() {
      try await outbound.write(DeviceSocket.text(batch))
      if let ending = try await awaitAnswer(&frames, outbound, heard) { return ending }
      batches.answered()
      try await Task.sleep(for: interval)
    }
    try await outbound.write(DeviceSocket.goodbye)
    return .done
  }

  /// Nil when the batch is answered.
  private func awaitAnswer(
    _ frames: inout Inbound.AsyncIterator, _ outbound: Outbound, _ heard: ConnectionFlag
  ) async throws -> Ending? {
    while let frame = try await frames.next() {
      heard.raise()
      var data = frame.unmaskedData
      switch frame.opcode {
      case .text:
        let text = String(decoding: data.readableBytesView, as: UTF8.self)
        Console.say(EventLine.visible(text))
        if Self.isLastWord(text) { return nil }
      case .ping: try await outbound.write(DeviceSocket.pong(data))
      case .connectionClose:
        let code = data.readInteger(as: UInt16.self) ?? 1005
        let reason = "\(code) \(String(decoding: data.readableBytesView, as: UTF8.self))"
        return code == 1008 ? .refused(reason) : .lost("closed with \(reason)")
      default: break
      }
    }
    return .lost("the connection broke")
  }

  /// A batch of which something was kept is acknowledged behind its error; one of which nothing was kept has only the error.
  private static func isLastWord(_ text: String) -> Bool {
    guard let message = try? JSONObject(parsing: Array(text.utf8)) else { return false }
    return message.string("type") == "ack" || (message.string("type") == "error" && !message.contains("rejected"))
  }
}
