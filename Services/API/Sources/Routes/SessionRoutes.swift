import HTTPTypes
import Hummingbird
import Models
import Store

/// The cooking sessions of an appliance, for roles that get the events behind them.
struct SessionRoutes: Sendable {
  let history: HistoryStore
  let view: RoleView

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/sessions", id: "listSessions", group: .history,
          summary: "The cooking sessions of an appliance, newest first; none for a role that does not get all of their events.",
          admittance: .appliance(.watch),
          query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("sessions", of: Shapes.session)))), list),
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/sessions/{session_id}", id: "getSession", group: .history,
          summary: "One cooking session with its stages.", admittance: .appliance(.watch),
          answer: .init(status: .ok, note: "The session.", content: .json(Shapes.session)), problems: [.sessionNotFound]), get),
    ]
  }

  private func list(_ call: Call) async throws -> Response {
    let appliance = try call.appliance()
    let question = ["sessions", appliance.rawValue]
    let after = try call.cursor(for: question, count: 2).map { cursor throws(Problem) in
      guard let microseconds = Int64(cursor.parts[0]) else { throw Problem(.invalidCursor) }
      return SessionPosition(startedAt: Timestamp(microseconds: microseconds), sessionID: cursor.parts[1])
    }
    guard view.permitsSessions(call) else { return .json(Shapes.json("sessions", [], next: nil)) }
    let page = try await history.sessions(of: appliance, after: after, limit: call.integer("limit", default: 100))
    let next = page.next.map { Cursor([String($0.startedAt.microseconds), $0.sessionID]).text(for: question) }
    return .json(Shapes.json("sessions", page.items.map(Self.json), next: next))
  }

  private func get(_ call: Call) async throws -> Response {
    guard view.permitsSessions(call), let session = try await history.session(call.path["session_id"] ?? "", of: call.appliance()) else {
      throw Problem(.sessionNotFound)
    }
    return .json(Self.json(session))
  }

  private static func json(_ session: CookingSession) -> JSONValue {
    [
      "session_id": .text(session.id), "appliance_id": .text(session.applianceID.rawValue),
      "recipe_id": .optional(session.recipeID) { .text($0) }, "recipe_name": .optional(session.recipeName) { .text($0) },
      "total_stages": .optional(session.totalStages) { .integer(Int64($0)) },
      "current_stage": .optional(session.currentStage) { .integer(Int64($0)) },
      "current_stage_name": .optional(session.currentStageName) { .text($0) }, "started_at": .time(session.startedAt),
      "ended_at": .optional(session.endedAt) { .time($0) }, "outcome": .optional(session.outcome) { .text($0.rawValue) },
      "last_error": .optional(session.lastError) { .raw($0) }, "summary": .optional(session.summary) { .raw($0) },
      "updated_at": .time(session.updatedAt), "stages": .list(session.stages.map(json)),
    ]
  }

  private static func json(_ stage: CookingStage) -> JSONValue {
    [
      "stage": .integer(Int64(stage.number)), "name": .optional(stage.name) { .text($0) },
      "duration_s": .optional(stage.durationSeconds) { .number($0) }, "result": .optional(stage.result) { .text($0) },
      "transition": .optional(stage.transition) { .text($0) }, "started_at": .optional(stage.startedAt) { .time($0) },
      "ended_at": .optional(stage.endedAt) { .time($0) },
    ]
  }
}
