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
  let publisher: MQTTPublisher
  let version: MQTTConfiguration.ProtocolVersion
  let metrics: CommandMetrics
  let failed: FailedCommands
  let logger: Logger

  /// Tries until the command is sent, has its outcome, or its deadline has passed.
  /// - Returns: whether it needs no more work; false for one that another replica is to take over, because this one shuts down.
  func send(_ command: Command) async -> Bool {
    var backoff = Backoff(shortest: .milliseconds(10), longest: .milliseconds(500))
    var hasFailed = false
    while command.expiresAt > .now() {
      do {
        if try await attempt(command) { return true }
      } catch {
        metrics.attemptFailed()
        let level = hasFailed ? Logger.Level.debug : .warning
        logger.log(level: level, "\(command.type) \(command.id) for \(command.applianceID) could not be sent yet: \(error)")
        hasFailed = true
      }
      if Task.isShuttingDownGracefully || Task.isCancelled { return false }
      try? await Task.sleep(for: backoff.next())
    }
    return true
  }

  private func attempt(_ command: Command) async throws -> Bool {
    switch SendStep(command, among: try await open(beside: command), now: .now(), version: version) {
    case .drop: return true
    case .wait: return false
    case .supersede:
      try await close([.superseded(command.id, command.type)], of: command.applianceID)
      return true
    case .publish(let publication, let overtaken):
      // Before the stop is told as sent, so that nothing that was meant before it can follow it. Should the log fail, the stop goes out all the same.
      if !overtaken.isEmpty { try? await close(overtaken.map { .superseded($0.id, $0.type) }, of: command.applianceID) }
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

  /// A stop is tried again for an appliance that has not said goodbye: it may be about to come back.
  private func nobodyListens(to command: Command) async throws -> Bool {
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
    let outcomes = try await log.append(
      failures.map { LogEntry(.event($0.event(of: appliance, at: now)), order: now, step: .close(id: $0.commandID)) })
    failed.count(failures.map(\.code), outcomes)
  }

  /// Until it is told: should this replica die before, the next one sends the command again. Refused when the device's answer was faster.
  private func tellSent(_ command: Command) async {
    let now = Timestamp.now()
    let entry = LogEntry(
      .event(CommandOutcome.sent(command.id, command.type, to: command.applianceID, at: now)), fingerprint: Fingerprint.ofSending(command),
      mayBeDuplicate: true, window: .everyone,
      order: now, step: .sent(id: command.id))
    var backoff = Backoff(shortest: .milliseconds(50), longest: .milliseconds(500))
    while command.expiresAt > .now() {
      if (try? await log.append([entry])) != nil { return }
      try? await Task.sleep(for: backoff.next())
      if Task.isCancelled { return }
    }
  }
}
