/// Why a command came to nothing: the `data` of its `command:failed` (SPEC, sections 1 and 4).
package struct CommandFailure: Error, Hashable, Sendable {
  package enum Code: String, Hashable, Sendable, CaseIterable {
    /// The appliance is not connected; nothing was sent.
    case applianceOffline = "APPLIANCE_OFFLINE"
    /// The deadline passed without the appliance's word.
    case timeout = "COMMAND_TIMEOUT"
    case notPermitted = "NOT_PERMITTED"
    /// An unknown command, or `data` that it cannot have.
    case invalidCommand = "INVALID_COMMAND"
    /// The appliance refused, in its own words.
    case rejected = "REJECTED"
    /// A stop overtook it before it was sent.
    case superseded = "SUPERSEDED"
    /// Too many commands of the appliance have no outcome yet.
    case tooManyCommands = "TOO_MANY_COMMANDS"
  }

  package let commandID: String
  package let type: EventType
  package let code: Code
  /// A sentence for the person who sent it.
  package let message: String

  package init(commandID: String, type: EventType, code: Code, message: String) {
    self.commandID = commandID
    self.type = type
    self.code = code
    self.message = message
  }

  /// `command:failed`, with `data` `{"command_id","type","code","message"}`.
  package func event(of applianceID: ApplianceID, at timestamp: Timestamp) -> Event {
    var text = CommandOutcome.begin(commandID, type)
    text.append(",\"code\":")
    text.append(json: code.rawValue)
    text.append(",\"message\":")
    text.append(json: message)
    text.append(UInt8(ascii: "}"))
    return Event(type: .commandFailed, applianceID: applianceID, timestamp: timestamp, data: text)
  }
}

extension CommandFailure {
  package static func offline(_ commandID: String, _ type: EventType) -> Self {
    Self(commandID: commandID, type: type, code: .applianceOffline, message: "The appliance is not connected; nothing was sent to it.")
  }

  /// - Parameter wasSent: whether the broker took it for the appliance.
  package static func timeout(_ commandID: String, _ type: EventType, wasSent: Bool) -> Self {
    Self(
      commandID: commandID, type: type, code: .timeout,
      message: wasSent
        ? "The appliance did not answer in time; whether it acted is unknown." : "The command could not be sent in time.")
  }

  package static func superseded(_ commandID: String, _ type: EventType) -> Self {
    Self(commandID: commandID, type: type, code: .superseded, message: "A stop came before this command was sent.")
  }
}

/// The steps of a command's life that are no failure, as events.
package enum CommandOutcome {
  /// `command:sent`, with `data` `{"command_id","type"}`: the broker has it.
  package static func sent(_ commandID: String, _ type: EventType, to applianceID: ApplianceID, at timestamp: Timestamp) -> Event {
    var text = begin(commandID, type)
    text.append(UInt8(ascii: "}"))
    return Event(type: .commandSent, applianceID: applianceID, timestamp: timestamp, data: text)
  }

  /// `command:acknowledged`, with `data` `{"command_id","type"}` and the appliance's `message` if it sent one: its own word that it has acted.
  package static func acknowledged(
    _ commandID: String, _ type: EventType, by applianceID: ApplianceID, message: String?, at timestamp: Timestamp
  ) -> Event {
    var text = begin(commandID, type)
    if let message {
      text.append(",\"message\":")
      text.append(json: message)
    }
    text.append(UInt8(ascii: "}"))
    return Event(type: .commandAcknowledged, applianceID: applianceID, timestamp: timestamp, data: text)
  }

  fileprivate static func begin(_ commandID: String, _ type: EventType) -> [UInt8] {
    var text: [UInt8] = []
    text.append("{\"command_id\":")
    text.append(json: commandID)
    text.append(",\"type\":")
    text.append(json: type.rawValue)
    return text
  }
}
