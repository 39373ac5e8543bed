import Logging
import MQTTClient
import Models
import ServiceLifecycle
import ServiceRuntime
import Synchronization
import UnixSignals

/// Carries what a simulated device says to the broker, and commands to the device.
struct DeviceSimulation<Device: SimulatedDevice>: Sendable {
  private let publisher: MQTTPublisher
  private let subscriber: MQTTSubscriber
  private let part: DevicePart<Device>
  private let logger: Logger

  /// - Parameters:
  ///   - interval: real time between two steps.
  ///   - speed: how many times faster the device's world is.
  init(_ device: Device, interval: Double, speed: Double, values: ConfigurationValues, logger: Logger) throws {
    let appliance = device.appliance
    let connection = ConnectionFlag()
    var configuration = try values.mqtt(clientID: "simulated-\(appliance)")
    configuration.will = device.will
    publisher = try MQTTPublisher(configuration: configuration, logger: logger) { event in
      if case .connected = event { connection.raise() }
    }
    let inputs = DeviceInputs()
    var hearing = try values.mqtt(clientID: "simulated-\(appliance)-commands")
    // A device that is gone is not waited for: its broker says at once that nobody listens.
    hearing.sessionExpiry = .zero
    subscriber = try MQTTSubscriber(
      configuration: hearing, subscriptions: device.subscriptions, logger: logger,
      observe: { if $0 == .subscribed { inputs.send(.hearing) } },
      handle: { messages, _ in for message in messages { inputs.send(.message(message)) } })
    part = DevicePart(
      device: device, interval: .seconds(interval), simulatedSeconds: interval * speed, inputs: inputs, publisher: publisher,
      connection: connection, logger: logger)
    self.logger = logger
  }

  /// Runs until SIGINT or SIGTERM, or until the device is done.
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

/// What happens to a device.
final class DeviceInputs: Sendable {
  enum Input: Sendable {
    /// A step of time has passed.
    case step
    /// Commands are heard from now on.
    case hearing
    case message(MQTTMessage)
  }

  /// Past it what is new is dropped: a device that is so far behind does not hear.
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

/// Raised when a connection is there, so that the device says anew how it is: while it was away, its last will spoke.
final class ConnectionFlag: Sendable {
  private let isUp = Atomic<Bool>(false)

  func raise() { isUp.store(true, ordering: .relaxed) }
  func lower() -> Bool { isUp.exchange(false, ordering: .relaxed) }
}

/// Steps the device, hands it its commands, and publishes what it says.
struct DevicePart<Device: SimulatedDevice>: Service {
  let device: Device
  let interval: Duration
  /// What passes in the device's world in one interval.
  let simulatedSeconds: Double
  let inputs: DeviceInputs
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
      do { try await Task.sleep(for: interval) } catch { return }
      inputs.sendStep()
    }
  }

  private func live() async throws {
    var device = device
    var isOn = false
    for await input in inputs.stream.cancelOnGracefulShutdown() {
      switch input {
      case .hearing where !isOn:
        // The first connection must come about: a wrong address or password ends the command with the reason.
        for word in try device.powerOn(at: .now()) { try await publish(word) }
        isOn = true
        _ = connection.lower()
      case .hearing: connection.raise()
      case .message(let message): await publishOrWarn(try device.hear(message, at: .now()))
      case .step:
        inputs.stepTaken()
        guard isOn else { continue }
        if connection.lower() { await publishOrWarn(try device.greet(at: .now())) }
        await publishOrWarn(try device.advance(SimulatedStep(simulatedSeconds: simulatedSeconds, now: .now())))
      }
      if device.isDone { break }
    }
    if isOn { await publishOrWarn(try device.powerOff(at: .now()), timeout: .seconds(2)) }
  }

  /// A device that cannot be heard goes on.
  private func publishOrWarn(_ words: [MQTTPublication], timeout: Duration = .seconds(10)) async {
    for word in words {
      do { try await publish(word, timeout: timeout) } catch {
        logger.warning("what \(device.appliance) says on \(word.topic) was not published: \(error)")
      }
    }
  }

  private func publish(_ word: MQTTPublication, timeout: Duration = .seconds(10)) async throws {
    try await publisher.publish(word, timeout: timeout)
    Console.say("\(word.topic) \(String(decoding: word.payload, as: UTF8.self))")
  }
}
