import Backoff
import EventLog
import Logging
import MQTTClient
import Models
import ServiceLifecycle

/// Sends one command to its device, and tells the log what came of it.
struct CommandSender: Sendable {
  /// Of one publish. Then, or without a connection at once, the log is asked again whether the command is still to be sent: another replica may have been faster,
  /// or a stop have come.
  static let publishTimeout = Duration.seconds(2)
  /// MQTT 5, 3.4.2.1: the broker has taken it, and nobody is subscribed.
  private static let noMatchingSubscribers: UInt8 = 0x10

  let log: any EventLog
  let board: PresenceBoard
  let publisher: MQTTPublisher
  let version: MQTTConfiguration.ProtocolVersion
  let metrics: CommandMetrics
  let failed: FailedCommands
  let logger: Logger

  /// Tries until the command is sent, has its outcome, or its deadline has passed.
  /// - Returns: whether it needs no more work; false for one that another replica is to take over, because this one shuts down.
  func send(_ queued: QueuedCommand) async -> Bool {
    let command = queued.command
    var backoff = Backoff(shortest: .milliseconds(10), longest: .milliseconds(500))
    // A stop that nobody has had in hand is certainly not sent yet: it does not wait for the log's word.
    var (asksFirst, hasFailed) = (!(command.isUrgent && queued.isNew), false)
    while command.expiresAt > .now() {
      do {
        if try await attempt(command, asksFirst: asksFirst) { return true }
      } catch {
        metrics.attemptFailed()
        let level = hasFailed ? Logger.Level.debug : .warning
        logger.log(level: level, "\(command.type) \(command.id) for \(command.applianceID) could not be sent yet: \(error)")
        hasFailed = true
      }
      if Task.isShuttingDownGracefully || Task.isCancelled { return false }
      asksFirst = true
      try? await Task.sleep(for: backoff.next())
    }
    return true
  }

  private func attempt(_ command: Command, asksFirst: Bool) async throws -> Bool {
    switch SendStep(command, among: asksFirst ? try await open(beside: command) : nil, now: .now(), version: version) {
    case .drop: return true
    case .wait: return false
    case .supersede:
      try await close([.superseded(command.id, command.type)], of: command.applianceID)
      return true
    case .publish(let publication):
      let rest = command.expiresAt - Timestamp.now()
      let answer = try await publisher.publish(publication, timeout: min(Self.publishTimeout, rest), waitsForConnection: false)
      guard answer.reasonCode != Self.noMatchingSubscribers else { return try await nobodyListens(to: command) }
      metrics.sent(after: .now() - command.issuedAt)
      await tellSent(command)
      return true
    }
  }

  private func open(beside command: Command) async throws -> [OpenCommand]? {
    do { return try await log.openCommands(of: command.applianceID) } catch {
      if command.isUrgent { return nil }
      throw error
    }
  }

  /// One that is connected to a gateway is sent its commands there. A stop is tried again for an appliance that has not said goodbye: it may be about to come back.
  private func nobodyListens(to command: Command) async throws -> Bool {
    if try await board.isAttached(command.applianceID) { return true }
    if command.isUrgent, !(await saysOffline(command.applianceID)) { return false }
    try await close([.offline(command.id, command.type)], of: command.applianceID)
    return true
  }

  private func saysOffline(_ appliance: ApplianceID) async -> Bool {
    let status = try? await log.state(of: appliance).last { $0.type.rawValue == "appliance:status" }
    return status.flatMap { try? JSONObject(parsing: $0.data) }?.string("status") == "offline"
  }

  // MARK: Telling the log

  private func close(_ failures: [CommandFailure], of appliance: ApplianceID) async throws {
    let now = Timestamp.now()
    let outcomes = try await log.append(failures.map { Self.closing($0, of: appliance, at: now) })
    failed.count(failures.map(\.code), outcomes)
  }

  private static func closing(_ failure: CommandFailure, of appliance: ApplianceID, at now: Timestamp) -> LogEntry {
    LogEntry(.event(failure.event(of: appliance, at: now)), order: now, step: .close(id: failure.commandID))
  }

  /// Until it is told: should this replica die before, the next one sends the command again. Refused when the device's answer was faster.
  private func tellSent(_ command: Command) async {
    var backoff = Backoff(shortest: .milliseconds(50), longest: .milliseconds(500))
    while command.expiresAt > .now() {
      if (try? await appendSent(command)) != nil { return }
      try? await Task.sleep(for: backoff.next())
      if Task.isCancelled { return }
    }
  }

  /// With the word that a stop was sent goes the end of what it overtook, so that nothing that was meant before it follows it: as long as it is unsent, they wait.
  private func appendSent(_ command: Command) async throws {
    let overtaken = command.isUrgent ? OpenCommand.overtaken(among: try await log.openCommands(of: command.applianceID)) : []
    let failures = overtaken.map { CommandFailure.superseded($0.id, $0.type) }
    let now = Timestamp.now()
    let sent = LogEntry(
      .event(CommandOutcome.sent(command.id, command.type, to: command.applianceID, at: now)), fingerprint: Fingerprint.ofSending(command),
      mayBeDuplicate: true, window: .everyone, order: now, step: .sent(id: command.id))
    let outcomes = try await log.append(failures.map { Self.closing($0, of: command.applianceID, at: now) } + [sent])
    failed.count(failures.map(\.code), Array(outcomes.dropLast()))
  }
}
