package import Models

/// What somebody wants an appliance to do.
package struct CommandRequest: Sendable {
  package let applianceID: ApplianceID
  package let dialect: CommandDialect
  package let type: EventType
  /// A JSON object, as its text.
  package let data: [UInt8]
  package let userID: String
  /// The client's own name for the request, told again in `command:requested`.
  package let requestID: String?

  /// Of `data`.
  package static let bytesMax = 65_536

  package init(
    applianceID: ApplianceID, dialect: CommandDialect, type: EventType, data: [UInt8], userID: String, requestID: String? = nil
  ) {
    self.applianceID = applianceID
    self.dialect = dialect
    self.type = type
    self.data = data
    self.userID = userID
    self.requestID = requestID
  }

  /// The command that this becomes, or why it does not. Pure.
  ///
  /// A stop is never refused for its `data`: what cannot be read is left out.
  func command(
    id: String, permission: Permission, roles: RoleTable = .standard, now: Timestamp, deadlines: CommandDesk.Deadlines
  ) throws(CommandFailure) -> Command {
    guard let rule = dialect.rule(for: type) else {
      throw refusal(id, .invalidCommand, "'\(type)' is no command that this appliance takes.")
    }
    guard roles.permits(permission, command: type) ?? (permission >= rule.permission) else {
      throw refusal(id, .notPermitted, "You may not send '\(type)' to this appliance.")
    }
    let isUrgent = Command.isUrgent(type)
    var object: JSONObject?
    do throws(ModelError) { object = try checked(rule) } catch {
      if !isUrgent { throw refusal(id, .invalidCommand, "The command is not valid: \(error).") }
    }
    return Command(
      id: id, applianceID: applianceID, type: type, issuedAt: now, expiresAt: now + (isUrgent ? deadlines.urgent : deadlines.normal),
      data: object?.bytes ?? Array("{}".utf8))
  }

  private func checked(_ rule: CommandDialect.Rule) throws(ModelError) -> JSONObject {
    guard data.count <= Self.bytesMax else { throw .wrongType(path: "data", wanted: "an object of at most \(Self.bytesMax) bytes") }
    let object: JSONObject
    do { object = try JSONObject(parsing: data) } catch {
      throw error == .notAnObject ? .wrongType(path: "data", wanted: "an object") : .malformed(error)
    }
    try rule.check(object)
    return object
  }

  private func refusal(_ id: String, _ code: CommandFailure.Code, _ message: String) -> CommandFailure {
    CommandFailure(commandID: id, type: type, code: code, message: message)
  }
}
