import EventLog
import Models

/// A device's answer to a command (SPEC, section 4): `{"command_id","status":"acknowledged"|"rejected","message"}`, bare or as an envelope's `data`.
struct CommandAnswer: Hashable, Sendable {
  enum Verdict: Hashable, Sendable { case acknowledged, rejected }

  /// A longer message is cut.
  static let messageLengthMax = 512

  let commandID: String
  let applianceID: ApplianceID
  let verdict: Verdict
  let message: String?
  let timestamp: Timestamp

  /// The event that it is, once the command is known.
  func event(for command: OpenCommand) -> Event {
    switch verdict {
    case .acknowledged: CommandOutcome.acknowledged(commandID, command.type, by: applianceID, message: message, at: timestamp)
    case .rejected:
      CommandFailure(
        commandID: commandID, type: command.type, code: .rejected, message: message ?? "The appliance rejected the command."
      ).event(of: applianceID, at: timestamp)
    }
  }
}
