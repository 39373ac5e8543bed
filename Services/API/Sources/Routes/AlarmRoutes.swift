import Access
import HTTPTypes
import Hummingbird
import Models
import Store

/// What is wrong with appliances, and who has seen it. Each role gets what it gets the events of.
struct AlarmRoutes: Sendable {
  let alarms: AlarmStore
  let gate: AccessGate
  let view: RoleView

  private static let path = "/api/v1/appliances/{appliance_id}/alarms"
  private static let state = Operation.Parameter(
    name: "state", schema: .word(["open", "cleared"]), note: "Only those that are on, or only those that are over; both when left out.")

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/alarms", id: "listAllAlarms", group: .rules,
          summary:
            "Alarms of all appliances that the caller may see, those that the role gets, newest first. A page may have fewer than its limit.",
          query: [Self.state, Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("alarms", of: Shapes.alarm)))), listAll),
      Route(
        Operation(
          method: .get, path: Self.path, id: "listAlarms", group: .rules,
          summary:
            "Alarms of an appliance, those that the caller's role gets, newest first. A page may have fewer than its limit.",
          admittance: .appliance(.watch), query: [Self.state, Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("alarms", of: Shapes.alarm)))), list),
      Route(
        Operation(
          method: .post, path: Self.path + "/{alarm_id}/acknowledge", id: "acknowledgeAlarm", group: .rules,
          summary: "Says that the caller has seen the alarm; everyone hears alarm:acknowledged. Of many who say so the first counts.",
          admittance: .appliance(.operate),
          answer: .init(status: .ok, note: "The alarm, with who was first.", content: .json(Shapes.alarm)), problems: [.alarmNotFound]),
        acknowledge),
    ]
  }

  private func listAll(_ call: Call) async throws -> Response {
    let caller = try call.user()
    return try await page(caller.isAdmin ? .everything : .visible(toUser: caller.id), question: ["alarms"], call) { page in
      try await permitted(page, caller)
    }
  }

  private func list(_ call: Call) async throws -> Response {
    let appliance = try call.appliance()
    return try await page(.appliance(appliance), question: ["alarms", appliance.rawValue], call) { page in
      page.filter { view.permitsAlarms(call.permission ?? .watch, ofDevices: $0.alarm.isDevices) }
    }
  }

  /// Of alarms of many appliances those that the caller's role with each of them gets.
  private func permitted(_ page: AlarmStore.Page, _ caller: Call.Caller) async throws -> AlarmStore.Page {
    guard view.hidesAlarms else { return page }
    var roles: [ApplianceID: Permission] = [:]
    for appliance in Set(page.items.map(\.alarm.applianceID)) {
      switch await gate.permission(of: caller.principal, on: appliance) {
      case .granted(let role): roles[appliance] = role
      // One that is registered no more has alarms for admins.
      case .refused: roles[appliance] = caller.isAdmin ? .administer : nil
      case .unavailable: throw Problem.later(.unavailable, retryAfter_s: 5)
      }
    }
    return page.filter { [roles] stored in
      roles[stored.alarm.applianceID].map { view.permitsAlarms($0, ofDevices: stored.alarm.isDevices) } ?? false
    }
  }

  private func page(
    _ scope: AlarmStore.Scope, question: [String], _ call: Call, _ permitted: (AlarmStore.Page) async throws -> AlarmStore.Page
  ) async throws -> Response {
    let question = question + call.narrowing(["state"])
    let page = try await permitted(
      alarms.alarms(
        scope, isOpen: call.query["state"].map { $0 == "open" }, after: try call.position(for: question),
        limit: call.integer("limit", default: 100)))
    return .json(Shapes.json("alarms", page.items.map(Self.json), next: page.next.map { Cursor($0).text(for: question) }))
  }

  private func acknowledge(_ call: Call) async throws -> Response {
    let role = call.permission ?? .watch
    guard let id = call.path["alarm_id"].flatMap({ Int64($0) }), view.permitsAlarms(role, ofDevices: false),
      let alarm = try await alarms.acknowledge(
        id, of: call.appliance(), by: call.user().id, includingDevices: view.permitsAlarms(role, ofDevices: true), now: call.now)
    else { throw Problem(.alarmNotFound) }
    return .json(Self.json(alarm))
  }

  private static func json(_ stored: StoredAlarm) -> JSONValue {
    let alarm = stored.alarm
    return [
      "alarm_id": .integer(alarm.id), "appliance_id": .text(alarm.applianceID.rawValue), "source": .text(alarm.source),
      "name": .text(alarm.name), "severity": .text(alarm.severity), "state": stored.cleared == nil ? "open" : "cleared",
      "metric": .optional(alarm.metric.isEmpty ? nil : alarm.metric) { .text($0) }, "value": .optional(alarm.value) { .number($0) },
      "raised_count": .integer(Int64(alarm.raisedCount)), "raised_at": .time(stored.raisedAt), "updated_at": .time(stored.updatedAt),
      "acknowledged_at": .optional(stored.acknowledged) { .time($0.at) },
      "acknowledged_by": .optional(stored.acknowledged) { .text($0.by) },
      "cleared_at": .optional(stored.cleared) { .time($0.at) }, "clear_reason": .optional(stored.cleared) { .text($0.reason) },
    ]
  }
}
