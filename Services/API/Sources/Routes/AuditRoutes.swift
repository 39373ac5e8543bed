import HTTPTypes
import Hummingbird
import Models
import Store

/// Who did what, when and from where.
struct AuditRoutes: Sendable {
  let audit: AuditStore

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/audit", id: "listAudit", group: .audit,
          summary: "The audit log, newest first. The newest of what other services tell may take a second to appear.", admittance: .admin,
          query: [
            Operation.Parameter(name: "user_id", schema: .text(1...255), note: "Only what this user did."),
            Operation.Parameter(name: "appliance_id", schema: .applianceID, note: "Only what is about this appliance, or done by it."),
            Operation.Parameter(name: "action", schema: .word(AuditEntry.Action.allCases.map(\.rawValue)), note: "Only this."),
            Operation.Parameter(name: "result", schema: .word(AuditEntry.Result.allCases.map(\.rawValue)), note: "Only what ended so."),
            Shapes.from, Shapes.to, Shapes.limit, Shapes.cursor,
          ],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("entries", of: Shapes.auditEntry)))), list)
    ]
  }

  private func list(_ call: Call) async throws -> Response {
    let question = ["audit"] + call.narrowing(["user_id", "appliance_id", "action", "result", "from", "to"])
    let filter = AuditStore.Filter(
      userID: call.query["user_id"], applianceID: call.query["appliance_id"],
      action: call.query["action"].flatMap(AuditEntry.Action.init), result: call.query["result"].flatMap(AuditEntry.Result.init))
    let page = try await audit.entries(
      filter, try call.window(), after: try call.position(for: question), limit: call.integer("limit", default: 100))
    return .json(Shapes.json("entries", page.items.map(Self.json), next: page.next.map { Cursor($0).text(for: question) }))
  }

  private static func json(_ entry: StoredAuditEntry) -> JSONValue {
    [
      "number": .integer(entry.number), "at": .time(entry.at), "service": .text(entry.service), "action": .text(entry.action),
      "result": .text(entry.result), "user_id": .optional(entry.userID) { .text($0) },
      "appliance_id": .optional(entry.applianceID) { .text($0) }, "command_id": .optional(entry.commandID) { .text($0) },
      "address": .optional(entry.address) { .text($0) }, "detail": .text(entry.detail), "count": .integer(Int64(entry.count)),
    ]
  }
}
