import Logging
import MQTTClient
import Models
import ServiceLifecycle
import ServiceRuntime
import Synchronization
import UnixSignals

/// Carries a simulated cooker's events to the broker.
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
  private let part: CookerPart
  private let logger: Logger

  init(appliance: ApplianceID, cooker: EpicuraCooker, pace: Pace, values: ConfigurationValues, logger: Logger) throws {
    let connection = ConnectionFlag()
    var configuration = try values.mqtt(clientID: "simulated-\(appliance)")
    configuration.will = MQTTWill(
      topic: CookerPart.statusTopic(of: appliance), payload: CookerEvent.status(.offline).data, isRetained: true)
    publisher = try MQTTPublisher(configuration: configuration, logger: logger) { event in
      if case .connected = event { connection.raise() }
    }
    part = CookerPart(appliance: appliance, pace: pace, cooker: cooker, publisher: publisher, connection: connection, logger: logger)
    self.logger = logger
  }

  /// Runs until SIGINT or SIGTERM, or until the sessions are done.
  func run() async throws {
    var group = ServiceGroupConfiguration(
      services: [
        .init(service: publisher),
        .init(service: part, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup),
      ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    group.maximumGracefulShutdownDuration = .seconds(5)
    try await ServiceGroup(configuration: group).run()
  }
}

/// Raised when a connection is there, so that the cooker says anew how it is: while it was away, its last will said offline.
final class ConnectionFlag: Sendable {
  private let isUp = Atomic<Bool>(false)

  func raise() { isUp.store(true, ordering: .relaxed) }
  func lower() -> Bool { isUp.exchange(false, ordering: .relaxed) }
}

/// Steps the cooker and publishes what it tells.
struct CookerPart: Service {
  let appliance: ApplianceID
  let pace: CookerSimulation.Pace
  let cooker: EpicuraCooker
  let publisher: MQTTPublisher
  let connection: ConnectionFlag
  let logger: Logger

  func run() async throws {
    var cooker = cooker
    // The first connection must come about: a wrong address or password ends the command with the reason.
    for event in cooker.powerOn() { try await publish(event) }
    _ = connection.lower()
    while cooker.sessionsEnded < pace.sessions ?? .max {
      do {
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: pace.interval) }
      } catch {
        break
      }
      if connection.lower() { await publishOrWarn(.status(cooker.status)) }
      for event in cooker.advance(seconds: pace.simulatedSeconds) { await publishOrWarn(event) }
    }
    for event in cooker.powerOff() { await publishOrWarn(event, timeout: .seconds(2)) }
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
