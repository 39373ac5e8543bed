package import Models

/// What an event of a command's life does to the command (SPEC, section 4), in one step with the append.
package enum CommandStep: Hashable, Sendable {
  /// Opens it: it is queued for its device, and its deadline runs. Goes with the `command:requested` that the command was made from.
  case open(Command)
  /// The broker has it. Goes with `command:sent`, which is told once.
  case sent(id: String)
  /// It has its outcome. Of several that close a command, one succeeds. Goes with `command:acknowledged` and `command:failed`.
  case close(id: String)
}

/// A command that has no outcome yet.
package struct OpenCommand: Hashable, Sendable {
  package let id: String
  package let applianceID: ApplianceID
  package let type: EventType
  package let expiresAt: Timestamp
  package let isUrgent: Bool
  package let isSent: Bool

  package init(id: String, applianceID: ApplianceID, type: EventType, expiresAt: Timestamp, isUrgent: Bool, isSent: Bool) {
    self.id = id
    self.applianceID = applianceID
    self.type = type
    self.expiresAt = expiresAt
    self.isUrgent = isUrgent
    self.isSent = isSent
  }

  /// Reads what the append function keeps: `<deadline in µs> <type> <n|u>`, then ` s` when it was sent.
  init?(id: String, of applianceID: ApplianceID, standing: String) {
    let words = standing.split(separator: " ")
    guard words.count >= 3, let deadline = Int64(words[0]), let type = try? EventType(String(words[1])) else { return nil }
    self.init(
      id: id, applianceID: applianceID, type: type, expiresAt: Timestamp(microseconds: deadline), isUrgent: words[2] == "u",
      isSent: words.count > 3)
  }
}
