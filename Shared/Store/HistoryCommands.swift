package import Models
import PostgresClient

/// How far a command has come. It only moves forward.
package enum CommandState: String, Hashable, Sendable, CaseIterable { case requested, sent, acknowledged, failed }

/// A command and what became of it.
package struct StoredCommand: Hashable, Sendable {
  package let applianceID: ApplianceID
  package let id: String
  package let type: EventType
  /// Nil, as are `data` and `expiresAt`, when the log lost the request.
  package let userID: String?
  /// A JSON object, as its text.
  package let data: [UInt8]?
  package let state: CommandState
  /// Why it failed: `APPLIANCE_OFFLINE`, `COMMAND_TIMEOUT`, `REJECTED`, ….
  package let code: String?
  package let message: String?
  package let issuedAt: Timestamp
  package let expiresAt: Timestamp?
  package let sentAt: Timestamp?
  /// When it was acknowledged or failed.
  package let settledAt: Timestamp?
}

/// Where a page of commands ended.
package struct CommandPosition: Hashable, Sendable {
  package let issuedAt: Timestamp
  package let commandID: String

  package init(issuedAt: Timestamp, commandID: String) {
    self.issuedAt = HistoryWindow.clamped(issuedAt)
    self.commandID = commandID
  }
}

extension HistoryStore {
  package typealias CommandPage = HistoryPage<StoredCommand, CommandPosition>

  /// The commands that an appliance was sent, newest first.
  ///
  /// - Parameter after: `next` of the page before.
  package func commands(of appliance: ApplianceID, after: CommandPosition? = nil, limit: Int = 100) async throws -> CommandPage {
    guard after?.commandID.utf8.contains(0) != true else { return CommandPage([], limit: limit) { _ in nil } }
    let end = after ?? CommandPosition(issuedAt: HistoryWindow().to, commandID: "")
    let commands = try await commands(
      of: appliance, "(issued_at, command_id) < ($2, $3) ORDER BY issued_at DESC, command_id DESC LIMIT $4",
      [.timestamptz(end.issuedAt), .text(end.commandID), CommandPage.rowCount(limit)])
    return CommandPage(commands, limit: limit) { items in
      items.last.map { CommandPosition(issuedAt: $0.issuedAt, commandID: $0.id) }
    }
  }

  /// One command; nil if none of this id was stored yet. (A command that was just accepted is stored within a moment.)
  package func command(_ id: String, of appliance: ApplianceID) async throws -> StoredCommand? {
    guard !id.utf8.contains(0) else { return nil }
    return try await commands(of: appliance, "command_id = $2", [.text(id)]).first
  }

  private func commands(
    of appliance: ApplianceID, _ condition: String, _ parameters: [PostgresValue]
  ) async throws -> [StoredCommand] {
    let rows = try await query(
      """
      SELECT command_id, type, user_id, data, state, code, message, issued_at, expires_at, sent_at, settled_at
      FROM commands WHERE appliance_id = $1 AND \(condition)
      """, [appliance.column] + parameters)
    return try rows.decode(
      String.self, String.self, String?.self, [UInt8]?.self, String.self, String?.self, String?.self, PostgresTimestamp.self,
      PostgresTimestamp?.self, PostgresTimestamp?.self, PostgresTimestamp?.self
    ).map { row in
      StoredCommand(
        applianceID: appliance, id: row.0, type: try EventType(row.1), userID: row.2, data: row.3, state: try stored(row.4, "state"),
        code: row.5, message: row.6, issuedAt: Timestamp(row.7), expiresAt: row.8.map(Timestamp.init), sentAt: row.9.map(Timestamp.init),
        settledAt: row.10.map(Timestamp.init))
    }
  }
}

/// The table's own checks allow no other word, unless a newer build's migration widened them.
func stored<Word: RawRepresentable<String>>(_ text: String, _ subject: String) throws(StoreError) -> Word {
  guard let word = Word(rawValue: text) else {
    throw StoreError(.schemaTooNew, "The \(subject) is '\(text)', which this build does not know: use a newer build")
  }
  return word
}
