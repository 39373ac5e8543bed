import Models
import Store

/// A command and how far it has come, from what is stored and from what the log has told since.
struct CommandView: Sendable {
  let id: String
  let applianceID: ApplianceID
  let type: EventType
  private(set) var state: CommandState
  private(set) var code: String?
  private(set) var message: String?
  private(set) var userID: String?
  private(set) var data: [UInt8]?
  let issuedAt: Timestamp
  private(set) var expiresAt: Timestamp?
  private(set) var sentAt: Timestamp?
  private(set) var settledAt: Timestamp?

  var isSettled: Bool { settledAt != nil }

  init(_ stored: StoredCommand) {
    (id, applianceID, type, state) = (stored.id, stored.applianceID, stored.type, stored.state)
    (code, message, userID, data) = (stored.code, stored.message, stored.userID, stored.data)
    (issuedAt, expiresAt, sentAt, settledAt) = (stored.issuedAt, stored.expiresAt, stored.sentAt, stored.settledAt)
  }

  init(_ command: Command, userID: String) {
    (id, applianceID, type, state) = (command.id, command.applianceID, command.type, .requested)
    (self.userID, data, issuedAt, expiresAt) = (userID, command.data, command.issuedAt, command.expiresAt)
  }

  /// From the event `command:requested`; nil for any other.
  init?(requestedBy event: Event) {
    guard event.type == .commandRequested, let data = try? JSONObject(parsing: event.data), let id = data.string("command_id"),
      let type = data.string("type").flatMap({ try? EventType($0) })
    else { return nil }
    (self.id, applianceID, self.type, state, issuedAt) = (id, event.applianceID, type, .requested, event.timestamp)
    userID = data.string("user_id")
    self.data = data.raw("data").map { Array($0) }
    expiresAt = data.string("expires_at").flatMap { Timestamp(iso8601: $0) }
  }

  /// Takes in an event of this command's life; others are nothing to it, and what is settled stays so.
  mutating func apply(_ event: Event) {
    guard !isSettled, let data = try? JSONObject(parsing: event.data), data.string("command_id") == id else { return }
    switch event.type {
    case .commandSent:
      state = .sent
      sentAt = event.timestamp
    case .commandAcknowledged:
      (state, settledAt, message) = (.acknowledged, event.timestamp, data.string("message"))
    case .commandFailed:
      (state, settledAt, code, message) = (.failed, event.timestamp, data.string("code"), data.string("message"))
    default: break
    }
  }

  /// It as it was accepted, as far as that is known.
  var command: Command? {
    expiresAt.map {
      Command(id: id, applianceID: applianceID, type: type, issuedAt: issuedAt, expiresAt: $0, data: data ?? Array("{}".utf8))
    }
  }

  var json: JSONValue {
    [
      "command_id": .text(id), "appliance_id": .text(applianceID.rawValue), "type": .text(type.rawValue), "state": .text(state.rawValue),
      "code": .optional(code) { .text($0) }, "message": .optional(message) { .text($0) }, "user_id": .optional(userID) { .text($0) },
      "data": .optional(data) { .raw($0) }, "issued_at": .time(issuedAt), "expires_at": .optional(expiresAt) { .time($0) },
      "sent_at": .optional(sentAt) { .time($0) }, "settled_at": .optional(settledAt) { .time($0) },
    ]
  }
}
