package import Models
import PostgresClient

/// How a cooking session ended.
package enum CookingOutcome: String, Hashable, Sendable, CaseIterable {
  /// The device said that it is complete.
  case complete
  /// A critical error.
  case error
  /// The device acknowledged a stop.
  case stopped
  /// The device began another without a word about this one.
  case abandoned
}

/// One stage of a session, as far as it is known.
package struct CookingStage: Hashable, Sendable {
  /// The device's number of it.
  package let number: Int
  package let name: String?
  package let durationSeconds: Double?
  /// The device's own words, such as "success" and "cv_detected".
  package let result: String?
  package let transition: String?
  package let startedAt: Timestamp?
  /// For the last stage, the end of the session.
  package let endedAt: Timestamp?
}

/// A cooking session. All times but `updatedAt` are the device's.
package struct CookingSession: Hashable, Sendable {
  package let applianceID: ApplianceID
  package let id: String
  package let recipeID: String?
  package let recipeName: String?
  package let totalStages: Int?
  package let currentStage: Int?
  package let currentStageName: String?
  package let startedAt: Timestamp
  package let endedAt: Timestamp?
  /// Nil while nothing is known of its end: also when the device has vanished.
  package let outcome: CookingOutcome?
  /// The newest error, also one that the session survived: a JSON object with `code`, `severity`, `message`, `action_taken`, `timestamp`.
  package let lastError: [UInt8]?
  /// The data of `cooking:complete`, as the device sent it: a JSON object.
  package let summary: [UInt8]?
  /// When the log took in the newest event about it.
  package let updatedAt: Timestamp
  /// The stages that are over and the one that follows, in order.
  package let stages: [CookingStage]
}

/// Where a page of sessions ended.
package struct SessionPosition: Hashable, Sendable {
  package let startedAt: Timestamp
  package let sessionID: String

  package init(startedAt: Timestamp, sessionID: String) {
    self.startedAt = HistoryWindow.clamped(startedAt)
    self.sessionID = sessionID
  }
}

extension HistoryStore {
  package typealias SessionPage = HistoryPage<CookingSession, SessionPosition>

  /// The cooking sessions of an appliance, newest first.
  ///
  /// - Parameter after: `next` of the page before.
  package func sessions(of appliance: ApplianceID, after: SessionPosition? = nil, limit: Int = 100) async throws -> SessionPage {
    guard after?.sessionID.utf8.contains(0) != true else { return SessionPage([], limit: limit) { _ in nil } }
    let end = after ?? SessionPosition(startedAt: HistoryWindow().to, sessionID: "")
    let sessions = try await sessions(
      of: appliance, "(started_at, session_id) < ($2, $3) ORDER BY started_at DESC, session_id DESC LIMIT $4",
      [.timestamptz(end.startedAt), .text(end.sessionID), SessionPage.rowCount(limit)])
    return SessionPage(sessions, limit: limit) { items in
      items.last.map { SessionPosition(startedAt: $0.startedAt, sessionID: $0.id) }
    }
  }

  /// One session; nil if there is none of this id.
  package func session(_ id: String, of appliance: ApplianceID) async throws -> CookingSession? {
    guard !id.utf8.contains(0) else { return nil }
    return try await sessions(of: appliance, "session_id = $2", [.text(id)]).first
  }

  private func sessions(
    of appliance: ApplianceID, _ condition: String, _ parameters: [PostgresValue]
  ) async throws -> [CookingSession] {
    try await pool.withConnection(timeout: timeout) { session in
      let rows = try session.query(
        """
        SELECT session_id, recipe_id, recipe_name, total_stages, current_stage, current_stage_name, started_at, ended_at, outcome,
          last_error, summary, updated_at
        FROM cooking_sessions WHERE appliance_id = $1 AND \(condition)
        """, [appliance.column] + parameters
      ).decode(
        String.self, String?.self, String?.self, Int?.self, Int?.self, String?.self, PostgresTimestamp.self, PostgresTimestamp?.self,
        String?.self, [UInt8]?.self, [UInt8]?.self, PostgresTimestamp.self)
      let stages = try Self.stages(of: appliance, sessions: rows.map(\.0), in: session)
      return try rows.map { row in
        let endedAt = row.7.map(Timestamp.init)
        return CookingSession(
          applianceID: appliance, id: row.0, recipeID: row.1, recipeName: row.2, totalStages: row.3, currentStage: row.4,
          currentStageName: row.5, startedAt: Timestamp(row.6), endedAt: endedAt, outcome: try row.8.map { try stored($0, "outcome") },
          lastError: row.9, summary: row.10, updatedAt: Timestamp(row.11), stages: (stages[row.0] ?? []).ended(at: endedAt))
      }
    }
  }

  private static func stages(
    of appliance: ApplianceID, sessions: [String], in session: PostgresSession
  ) throws(PostgresError) -> [String: [CookingStage]] {
    let rows = try session.query(
      """
      SELECT session_id, stage, name, duration_s, result, transition, started_at, ended_at FROM cooking_stages
      WHERE appliance_id = $1 AND session_id = ANY($2) ORDER BY session_id, stage
      """, [appliance.column, .textArray(sessions)])
    let stages = try rows.decode(
      String.self, Int.self, String?.self, Double?.self, String?.self, String?.self, PostgresTimestamp?.self, PostgresTimestamp?.self)
    return stages.reduce(into: [:]) { stages, row in
      stages[row.0, default: []].append(
        CookingStage(
          number: row.1, name: row.2, durationSeconds: row.3, result: row.4, transition: row.5, startedAt: row.6.map(Timestamp.init),
          endedAt: row.7.map(Timestamp.init)))
    }
  }
}

extension [CookingStage] {
  /// The stage in which the session ended is told by nobody else.
  fileprivate func ended(at end: Timestamp?) -> [CookingStage] {
    guard let stage = last, stage.endedAt == nil, let end else { return self }
    let ended = CookingStage(
      number: stage.number, name: stage.name, durationSeconds: stage.durationSeconds, result: stage.result, transition: stage.transition,
      startedAt: stage.startedAt, endedAt: end)
    return dropLast() + [ended]
  }
}
