/// Who did what, when and from where, and what came of it: one line of the audit log (deploy/decisions/0026). Never with a token, a secret or a password in it.
package struct AuditEntry: Hashable, Sendable {
  package enum Action: String, Hashable, Sendable, CaseIterable {
    case connectionOpened = "connection.opened"
    case connectionClosed = "connection.closed"
    /// A token or a secret was refused; `token.renewed` that was not is one too.
    case authentication = "authentication"
    case tokenRenewed = "token.renewed"
    case login = "login"
    case subscriptionBegun = "subscription.begun"
    case subscriptionEnded = "subscription.ended"
    case commandRequested = "command.requested"
    /// What became of a command: the log's word, whoever sent it.
    case commandSettled = "command.settled"
    /// A request of the API that the caller may not make, or a client's message that is not acted on.
    case request = "request"
    /// A row of accounts, appliances, sharing, secrets, rules, webhooks or controllers' settings: noted by the database in the change's own transaction.
    case configurationChanged = "configuration.changed"
    case alarmAcknowledged = "alarm.acknowledged"
  }

  package enum Result: String, Hashable, Sendable, CaseIterable { case done, refused, failed }

  /// 32 hexadecimal digits by which a second attempt to store it is known.
  package let id: String
  package var at: Timestamp
  /// Which service says so.
  package let service: String
  package let action: Action
  package let result: Result
  package var userID: String?
  /// The appliance that it is about, or that it is.
  package var applianceID: String?
  package var commandID: String?
  /// Where it came from, as far as that can be believed.
  package var address: String?
  /// For people: the endpoint, the reason, the command's type.
  package var detail: String
  /// How many like ones this stands for.
  package var count = 1

  /// A longer text is cut.
  package static let textBytesMax = 255

  package init(
    id: String, at: Timestamp, service: String, action: Action, result: Result, userID: String? = nil, applianceID: String? = nil,
    commandID: String? = nil, address: String? = nil, detail: String = "", count: Int = 1
  ) {
    (self.id, self.at, self.service, self.action, self.result, self.count) = (id, at, service, action, result, count)
    (self.userID, self.applianceID) = (userID.map(Self.cut), applianceID.map(Self.cut))
    (self.commandID, self.address, self.detail) = (commandID.map(Self.cut), address.map(Self.cut), Self.cut(detail))
  }

  private static func cut(_ text: String) -> String {
    text.utf8.count <= textBytesMax ? text : String(decoding: text.utf8.prefix(textBytesMax - 3), as: UTF8.self)
  }

  /// As it goes through Redis.
  package func encoded() -> [UInt8] {
    var text = Array("{\"at\":\(at.microseconds),\"count\":\(count)".utf8)
    let members = [
      ("id", id), ("service", service), ("action", action.rawValue), ("result", result.rawValue), ("user_id", userID),
      ("appliance_id", applianceID), ("command_id", commandID), ("address", address), ("detail", detail),
    ]
    for (name, value) in members {
      guard let value else { continue }
      text += Array(",\"\(name)\":".utf8)
      text.append(json: value)
    }
    text.append(UInt8(ascii: "}"))
    return text
  }

  /// Nil for what is no entry.
  package init?(parsing text: [UInt8]) {
    guard let object = try? JSONObject(parsing: text), let at = object.number("at").flatMap({ Int64(exactly: $0) }),
      let count = object.number("count").flatMap({ Int(exactly: $0) }), let id = object.string("id"),
      id.utf8.count == 32, id.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
      let service = object.string("service"),
      let action = object.string("action").flatMap(Action.init), let result = object.string("result").flatMap(Result.init)
    else { return nil }
    self.init(
      id: id, at: Timestamp(microseconds: at), service: service, action: action, result: result, userID: object.string("user_id"),
      applianceID: object.string("appliance_id"), commandID: object.string("command_id"), address: object.string("address"),
      detail: object.string("detail") ?? "", count: count)
  }
}
