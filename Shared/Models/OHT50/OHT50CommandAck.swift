/// What becomes of a command (SPEC, section 4):
/// `{"type":"command_ack","timestamp","request_id","command_id","appliance_id","command":"emergency_stop","status","commands","code","message"}`.
package struct OHT50CommandAck: Hashable, Sendable {
  package enum Status: String, Hashable, Sendable {
    /// It is in the log, addressed to the robots that `targets` lists.
    case requested
    /// The broker has it.
    case sent
    /// The robot's own word that it has acted.
    case acknowledged
    case failed
  }

  /// One robot's own command.
  package struct Target: Hashable, Sendable {
    package let applianceID: ApplianceID
    package let commandID: String

    package init(_ applianceID: ApplianceID, _ commandID: String) { (self.applianceID, self.commandID) = (applianceID, commandID) }
  }

  package let status: Status
  package let command: EventType
  /// The client's own name for it.
  package let requestID: String?
  /// Whom it went to: said in `appliance_id` and `command_id` where it is one, and in `commands`, of `requested` only, in any case.
  package let targets: [Target]
  /// Why it failed, for programs and for people.
  package let code: String?
  package let message: String?

  package init(
    _ status: Status, _ command: EventType, requestID: String?, targets: [Target], code: String? = nil, message: String? = nil
  ) {
    (self.status, self.command, self.requestID, self.targets) = (status, command, requestID, targets)
    (self.code, self.message) = (code, message)
  }

  /// The ack that an event of a command's life is for the client; nil for an event that is none of it, and for `command:requested`.
  package init?(_ event: Event, requestID: String?) {
    let status: Status
    switch event.type {
    case .commandSent: status = .sent
    case .commandAcknowledged: status = .acknowledged
    case .commandFailed: status = .failed
    default: return nil
    }
    guard let data = try? JSONObject(parsing: event.data), let id = data.string("command_id"),
      let command = data.string("type").flatMap({ try? EventType($0) })
    else { return nil }
    self.init(
      status, command, requestID: requestID, targets: [Target(event.applianceID, id)], code: data.string("code"),
      message: data.string("message"))
  }

  func append(to text: inout [UInt8]) {
    Message.append(",\"request_id\":", requestID, &text)
    if targets.count == 1, let target = targets.first {
      Message.append(",\"command_id\":", target.commandID, &text)
      Message.append(",\"appliance_id\":", target.applianceID.rawValue, &text)
    }
    Message.append(",\"command\":", command.rawValue, &text)
    Message.append(",\"status\":", status.rawValue, &text)
    if status == .requested { appendTargets(to: &text) }
    Message.append(",\"code\":", code, &text)
    Message.append(",\"message\":", message, &text)
  }

  private func appendTargets(to text: inout [UInt8]) {
    text.append(",\"commands\":[")
    for (index, target) in targets.enumerated() {
      text.append(index == 0 ? "{\"appliance_id\":" : ",{\"appliance_id\":")
      text.append(json: target.applianceID.rawValue)
      Message.append(",\"command_id\":", target.commandID, &text)
      text.append(UInt8(ascii: "}"))
    }
    text.append(UInt8(ascii: "]"))
  }

  private typealias Message = OHT50ServerMessage
}
