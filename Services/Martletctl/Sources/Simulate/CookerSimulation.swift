import ArgumentParser
import Logging
import MQTTClient
import Models
import ServiceLifecycle
import ServiceRuntime
import Synchronization
import UnixSignals

/// What a simulated cooker does with commands.
enum CommandManner: String, Sendable, CaseIterable, ExpressibleByArgument {
  case obey, reject, silent
}

/// Carries a simulated cooker's events to the broker, and commands to the cooker.
struct CookerSimulation: Sendable {
  struct Pace: Sendable {
    /// Real time between two steps.
    var interval: Duration
    /// What passes in the cooker's kitchen meanwhile.
    var simulatedSeconds: Double
    /// Ends after so many sessions.
    var sessions: Int?
  }

  private let publisher: MQTTPublisher
  private let subscriber: MQTTSubscriber
  private let part: CookerPart
  private let logger: Logger

  init(
    appliance: ApplianceID, cooker: EpicuraCooker, manner: CommandManner, pace: Pace, values: ConfigurationValues, logger: Logger
  ) throws {
    let connection = ConnectionFlag()
    var configuration = try values.mqtt(clientID: "simulated-\(appliance)")
    configuration.will = MQTTWill(
      topic: CookerPart.statusTopic(of: appliance), payload: CookerEvent.status(.offline).data, isRetained: true)
    publisher = try MQTTPublisher(configuration: configuration, logger: logger) { event in
      if case .connected = event { connection.raise() }
    }
    let inputs = CookerInputs()
    var hearing = try values.mqtt(clientID: "simulated-\(appliance)-commands")
    // A cooker that is gone is not waited for: its broker says at once that nobody listens.
    hearing.sessionExpiry = .zero
    subscriber = try MQTTSubscriber(
      configuration: hearing, subscriptions: CookerOrder.subscriptions(of: appliance), logger: logger,
      observe: { if $0 == .subscribed { inputs.send(.hearing) } },
      handle: { messages, _ in
        for order in messages.compactMap({ CookerOrder($0.payload) }) { inputs.send(.order(order)) }
      })
    part = CookerPart(
      appliance: appliance, pace: pace, cooker: cooker, manner: manner, inputs: inputs, publisher: publisher, connection: connection,
      logger: logger)
    self.logger = logger
  }

  /// Runs until SIGINT or SIGTERM, or until the sessions are done.
  func run() async throws {
    var group = ServiceGroupConfiguration(
      services: [
        .init(service: publisher), .init(service: subscriber),
        .init(service: part, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup),
      ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    group.maximumGracefulShutdownDuration = .seconds(5)
    try await ServiceGroup(configuration: group).run()
  }
}

/// What happens to a cooker.
final class CookerInputs: Sendable {
  enum Input: Sendable {
    /// A step of time has passed.
    case step
    /// Commands are heard from now on.
    case hearing
    case order(CookerOrder)
  }

  /// Past it what is new is dropped: a cooker that is so far behind does not hear.
  private static let countMax = 256
  let stream: AsyncStream<Input>
  private let source: AsyncStream<Input>.Continuation
  private let isStepWaiting = Atomic<Bool>(false)

  init() { (stream, source) = AsyncStream.makeStream(of: Input.self, bufferingPolicy: .bufferingOldest(Self.countMax)) }

  func send(_ input: Input) { source.yield(input) }

  /// Sends a step, unless the one before it is still waiting: steps crowd no command out.
  func sendStep() {
    if !isStepWaiting.exchange(true, ordering: .relaxed) { source.yield(.step) }
  }

  func stepTaken() { isStepWaiting.store(false, ordering: .relaxed) }
}

/// Raised when a connection is there, so that the cooker says anew how it is: while it was away, its last will said offline.
final class ConnectionFlag: Sendable {
  private let isUp = Atomic<Bool>(false)

  func raise() { isUp.store(true, ordering: .relaxed) }
  func lower() -> Bool { isUp.exchange(false, ordering: .relaxed) }
}

/// Steps the cooker, hands it its commands, and publishes what it tells.
struct CookerPart: Service {
  let appliance: ApplianceID
  let pace: CookerSimulation.Pace
  let cooker: EpicuraCooker
  let manner: CommandManner
  let inputs: CookerInputs
  let publisher: MQTTPublisher
  let connection: ConnectionFlag
  let logger: Logger

  func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await keepTime() }
      try await live()
      group.cancelAll()
    }
  }

  private func keepTime() async throws {
    while !Task.isCancelled {
      do { try await Task.sleep(for: pace.interval) } catch { return }
      inputs.sendStep()
    }
  }

  private func live() async throws {
    var cooker = cooker
    var memory = OrderMemory()
    var isOn = false
    for await input in inputs.stream.cancelOnGracefulShutdown() {
      switch input {
      case .hearing where !isOn:
        // The first connection must come about: a wrong address or password ends the command with the reason.
        for event in cooker.powerOn() { try await publish(event) }
        isOn = true
        _ = connection.lower()
      case .hearing: connection.raise()
      case .order(let order): await take(order, &memory, &cooker)
      case .step:
        inputs.stepTaken()
        if isOn, connection.lower() { await publishOrWarn(.status(cooker.status)) }
        for event in cooker.advance(seconds: pace.simulatedSeconds) { await publishOrWarn(event) }
      }
      if cooker.sessionsEnded >= pace.sessions ?? .max { break }
    }
    guard isOn else { return }
    for event in cooker.powerOff() { await publishOrWarn(event, timeout: .seconds(2)) }
  }

  private func take(_ order: CookerOrder, _ memory: inout OrderMemory, _ cooker: inout EpicuraCooker) async {
    switch manner {
    case .silent: return
    case .reject: await answer(order, refusal: "This cooker takes no commands.")
    case .obey:
      switch memory.judge(order, now: .now()) {
      case .ignore: return
      case .refuse(let reason): await answer(order, refusal: reason)
      case .obey:
        do throws(EpicuraCooker.Refusal) {
          let events = try cooker.obey(order.kind)
          await answer(order, refusal: nil)
          for event in events { await publishOrWarn(event) }
        } catch {
          await answer(order, refusal: error.message)
        }
      }
    }
  }

  /// `{"command_id","status","message"}` on the dialect's own topic.
  private func answer(_ order: CookerOrder, refusal: String?) async {
    var object = JSONWriter()
    object.add("command_id", order.id)
    object.add("status", refusal == nil ? "acknowledged" : "rejected")
    if let refusal { object.add("message", refusal) }
    let publication = MQTTPublication(topic: "epicura/\(appliance)/command/ack", payload: object.bytes)
    do {
      try await publisher.publish(publication)
      Console.say("\(publication.topic) \(String(decoding: publication.payload, as: UTF8.self))")
    } catch {
      logger.warning("the answer of \(appliance) to command \(order.id) was not published: \(error)")
    }
  }

  /// A cooker that cannot be heard cooks on.
  private func publishOrWarn(_ event: CookerEvent, timeout: Duration = .seconds(10)) async {
    do { try await publish(event, timeout: timeout) } catch { logger.warning("\(event.type) of \(appliance) was not published: \(error)") }
  }

  private func publish(_ event: CookerEvent, timeout: Duration = .seconds(10)) async throws {
    let publication = try Self.publication(event, of: appliance, at: .now())
    try await publisher.publish(publication, timeout: timeout)
    Console.say("\(publication.topic) \(String(decoding: event.data, as: UTF8.self))")
  }

  /// A status is published as its bare `data` and retained, like the last will, so that both are dated by their receipt: a will is
  /// older than the statuses that it must replace. Everything else carries the device's own time in the whole envelope.
  static func publication(_ event: CookerEvent, of appliance: ApplianceID, at time: Timestamp) throws -> MQTTPublication {
    if case .status = event {
      return MQTTPublication(topic: statusTopic(of: appliance), payload: event.data, isRetained: true)
    }
    let type = try EventType(event.type)
    let envelope = Event(type: type, applianceID: appliance, timestamp: time, data: event.data)
    return MQTTPublication(topic: EpicuraTopic.topic(of: type, appliance: appliance) ?? "", payload: envelope.encoded())
  }

  static func statusTopic(of appliance: ApplianceID) -> String { "epicura/\(appliance)/status" }
}
