import Commands
import EventLog
import Logging
import MQTTClient
import Models
import Synchronization

/// Takes one batch into the log. When it returns, the broker may forget the batch.
final class BatchHandler: Sendable {
  private let log: any EventLog
  private let valve: LogValve
  private let sightings: Sightings
  private let metrics: IngestMetrics
  private let logger: Logger
  private let now: @Sendable () -> Timestamp
  private let lines = Mutex(DeadLetterLines())

  init(
    log: any EventLog, valve: LogValve, sightings: Sightings, metrics: IngestMetrics, logger: Logger,
    now: @escaping @Sendable () -> Timestamp = { .now() }
  ) {
    self.log = log
    self.valve = valve
    self.sightings = sightings
    self.metrics = metrics
    self.logger = logger
    self.now = now
  }

  func handle(_ messages: [MQTTMessage], _ session: MQTTSessionInfo) async throws {
    let receivedAt = now()
    metrics.delivered(messages.count, at: receivedAt)
    var intake = Intake(messages, clientID: session.clientID, receivedAt: receivedAt)
    metrics.counted(intake)
    guard !intake.entries.isEmpty else { return }
    try await valve.pass()
    let rejected = try await append(&intake)
    sightings.note(intake.sightings)
    for message in rejected {
      metrics.rejected(message.rejection)
      if let line = lines.withLock({ $0.line(for: message, at: receivedAt) }) { logger.warning("\(line)") }
    }
  }

  /// - Returns: what became dead letters.
  private func append(_ intake: inout Intake) async throws -> [Intake.RejectedMessage] {
    let start = ContinuousClock.now
    do {
      let answering = intake.answering
      if !answering.isEmpty {
        let open = try await openCommands(of: answering)
        intake.settle(open, asked: try await StatusProof.asked(open, in: log))
      }
      let outcomes = try await log.append(intake.entries)
      let late = intake.late(by: outcomes)
      let lateOutcomes = late.isEmpty ? [] : try await log.append(late.map(\.entry))
      metrics.stored(intake, outcomes, in: .now - start)
      return intake.rejected(by: outcomes) + zip(late, lateOutcomes).filter { $1 != .duplicate }.map(\.0.rejected)
    } catch {
      metrics.appendFailed()
      throw error
    }
  }

  private func openCommands(of appliances: Set<ApplianceID>) async throws -> [ApplianceID: [OpenCommand]] {
    try await withThrowingTaskGroup { group in
      for appliance in appliances { group.addTask { (appliance, try await self.log.openCommands(of: appliance)) } }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
  }
}
