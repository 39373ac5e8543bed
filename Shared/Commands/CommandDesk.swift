internal import Backoff
package import EventLog
package import Models

/// Where commands are accepted: checked, and put into the event log, from where `ingest` sends them (SPEC, sections 1 and 4).
///
/// What happens to an accepted command is told by the appliance's own events: `command:sent`, then `command:acknowledged` or `command:failed`. A refusal that
/// concerns only the sender (not permitted, not valid) is told to the sender alone; one that says something of the appliance is in its history too.
package struct CommandDesk: Sendable {
  /// How long a command may take from its acceptance to the device's answer.
  package struct Deadlines: Hashable, Sendable {
    package var normal = Duration.seconds(10)
    /// For stops.
    package var urgent = Duration.seconds(10)

    package init() {}
  }

  package enum Answer: Hashable, Sendable {
    /// It is in the log, and its outcome will be too.
    case accepted(Command)
    case failed(CommandFailure)
    /// The log could not be asked. The command may be in it all the same; then its outcome will be too.
    case unavailable(commandID: String)
  }

  private let log: any EventLog
  private let deadlines: Deadlines
  private let roles: RoleTable
  private let makeID: @Sendable () -> String

  /// - Parameter roles: says who may send what, where it has a line for that; else the command's dialect does.
  package init(
    log: any EventLog, deadlines: Deadlines = Deadlines(), roles: RoleTable = .standard,
    makeID: @escaping @Sendable () -> String = Self.randomID
  ) {
    self.log = log
    self.deadlines = deadlines
    self.roles = roles
    self.makeID = makeID
  }

  /// 128 random bits in hexadecimal: nobody who is not told it can settle the command.
  package static func randomID() -> String {
    (0..<2).map { _ in
      let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Takes a command in, or says why not.
  ///
  /// - Parameters:
  ///   - permission: what the user may do with the appliance; one who may not see it must not come this far.
  ///   - mayBeRepeated: the same command, with the same id from `makeID`, may have been accepted before: then it is not opened again.
  package func request(
    _ request: CommandRequest, permission: Permission, mayBeRepeated: Bool = false, now: Timestamp = .now()
  ) async -> Answer {
    let command: Command
    do throws(CommandFailure) {
      command = try request.command(id: makeID(), permission: permission, roles: roles, now: now, deadlines: deadlines)
    } catch {
      return .failed(error)
    }
    // A stop is tried whatever the last status says: that may be wrong, and the broker knows better who listens.
    // One that may be accepted already has its outcome from there.
    if !command.isUrgent, !mayBeRepeated, await isOffline(command.applianceID, request.dialect) {
      return await refuseAsOffline(command, request)
    }
    return await open(command, request, mayBeRepeated: mayBeRepeated)
  }

  /// Settles a command whose deadline has passed, in case no `ingest` does. Of many that try, one succeeds.
  ///
  /// - Returns: what to tell the sender when the log cannot be told; else nil, for the outcome comes as an event.
  package func expire(_ command: Command, now: Timestamp = .now()) async -> CommandFailure? {
    let wasSent = try? await log.openCommand(command.id, of: command.applianceID)?.isSent
    let failure = CommandFailure.timeout(command.id, command.type, wasSent: wasSent ?? true)
    let entry = LogEntry(.event(failure.event(of: command.applianceID, at: now)), order: now, step: .close(id: command.id))
    do {
      _ = try await log.append([entry])
      return nil
    } catch {
      return failure
    }
  }

  // MARK: The appliance

  /// Whether its last word, or its last will, was that it is offline. A log that does not answer is asked again by the append.
  private func isOffline(_ appliance: ApplianceID, _ dialect: CommandDialect) async -> Bool {
    guard let state = try? await log.state(of: appliance) else { return false }
    guard let status = state.last(where: { $0.type.rawValue == "appliance:status" }) else { return dialect.tellsItsStatus }
    return (try? JSONObject(parsing: status.data))?.string("status") == "offline"
  }

  /// Both events in one append, so that nobody sees one without the other. They are history only: the sender is told whether or not they are kept.
  private func refuseAsOffline(_ command: Command, _ request: CommandRequest) async -> Answer {
    let failure = CommandFailure.offline(command.id, command.type)
    let events = [
      command.requested(by: request.userID, requestID: request.requestID), failure.event(of: command.applianceID, at: command.issuedAt),
    ]
    _ = try? await log.append(events.map { LogEntry(.event($0), order: command.issuedAt) })
    return .failed(failure)
  }

  // MARK: The log

  private func open(_ command: Command, _ request: CommandRequest, mayBeRepeated: Bool) async -> Answer {
    var entry = LogEntry(
      .event(command.requested(by: request.userID, requestID: request.requestID)), fingerprint: Array(command.id.utf8.suffix(16)),
      mayBeDuplicate: mayBeRepeated, window: .everyone, order: command.issuedAt, step: .open(command))
    var backoff = Backoff(shortest: .milliseconds(20), longest: .milliseconds(200))
    for attempt in 1...Self.appendAttemptsMax {
      switch try? await log.append([entry]).first {
      case .appended, .duplicate: return .accepted(command)
      case .refused: return .failed(Self.tooMany(command))
      case nil: break
      }
      // Only the answer may have been lost: another try is refused then as a duplicate.
      entry.mayBeDuplicate = true
      if attempt < Self.appendAttemptsMax { try? await Task.sleep(for: backoff.next()) }
    }
    return .unavailable(commandID: command.id)
  }

  private static let appendAttemptsMax = 3

  private static func tooMany(_ command: Command) -> CommandFailure {
    CommandFailure(
      commandID: command.id, type: command.type, code: .tooManyCommands,
      message: "Too many commands of this appliance wait for their outcome; send it again when some have it.")
  }
}
