internal import Commands
internal import EventLog
internal import Models

/// What `OpenCommands` wants of the log.
extension Neighbours {
  /// Takes the command in, under its own id.
  func request(
    _ command: PendingCommand, in dialect: CommandDialect, _ permission: Permission, userID: String
  ) async -> CommandDesk.Answer {
    let request = CommandRequest(
      applianceID: command.appliance, dialect: dialect, type: command.type, data: command.data, userID: userID,
      requestID: command.requestID)
    return await CommandDesk(log: log, roles: roles, makeID: { command.id }).request(request, permission: permission)
  }

  /// See `CommandDesk.expire(_:now:)`.
  func expire(_ command: Command) async -> CommandFailure? { await CommandDesk(log: log).expire(command) }

  /// The events of a command up to `last`.
  func events(of commandID: String, _ appliance: ApplianceID, through last: EventID) async -> [Event] {
    let start = EventID(milliseconds: last.milliseconds - min(last.milliseconds, Self.lookBack_ms), sequence: 0)
    let history = try? await log.history(of: appliance, after: start)
    return (history?.events ?? []).filter { $0.id ?? .zero <= last && $0.commandID == commandID }
  }

  /// How far back the log is read for a command that was just sent: more than clocks may differ.
  private static let lookBack_ms: UInt64 = 60_000
}
