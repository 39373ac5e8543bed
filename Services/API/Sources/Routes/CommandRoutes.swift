import Access
import Commands
import HTTPTypes
import Hummingbird
import Models
import Store

/// Commands to an appliance, and what became of them.
struct CommandRoutes: Sendable {
  let counter: CommandCounter
  let history: HistoryStore
  let accounts: AccountStore
  let view: RoleView
  let audit: RequestAudit

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .post, path: "/api/v1/appliances/{appliance_id}/commands", id: "sendCommand", group: .commands,
          summary:
            "Sends a command to an appliance. cooking:stop, and what a heater module is told but set_param, want no more than to see it; all else, emergency_stop too, an operator or the owner; unless the table of roles says otherwise.",
          admittance: .appliance(.watch),
          query: [
            Operation.Parameter(name: "wait", schema: .integer(0...30), note: "Seconds to wait for the outcome; 0 when left out.")
          ],
          body: .init(
            schema: .named(
              "CommandRequest",
              .object([
                .required("type", .eventType, "Such as cooking:start."),
                .optional("data", .anyObject, "What the command wants; its unknown members pass on to the appliance."),
                .optional("request_id", .text(1...128), "The client's own name for it, told again in command:requested."),
              ])), bytesMax: CommandRequest.bytesMax + 1024),
          answer: .init(
            status: .accepted, note: "The command as it is by then: settled, if it was in time.", content: .json(Shapes.command),
            hasLocation: true),
          problems: [.invalidCommand, .notPermitted, .tooManyRequests]), send),
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/commands", id: "listCommands", group: .commands,
          summary:
            "The commands that an appliance was sent, those that the caller sent or the role gets, newest first. The newest may take a moment to appear. A page may have fewer than its limit.",
          admittance: .appliance(.watch), query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("commands", of: Shapes.command)))), list),
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/commands/{command_id}", id: "getCommand", group: .commands,
          summary: "One command, as far as it has come.", admittance: .appliance(.watch),
          answer: .init(status: .ok, note: "The command.", content: .json(Shapes.command)), problems: [.commandNotFound]), get),
    ]
  }

  private func send(_ call: Call) async throws -> Response {
    let (appliance, permission) = (try call.appliance(), call.permission ?? .watch)
    guard let type = call.body.string("type").flatMap({ try? EventType($0) }) else { throw Problem(.invalidBody) }
    let request = CommandRequest(
      applianceID: appliance, dialect: try await dialect(of: appliance, for: type, call), type: type,
      data: call.body.raw("data").map { Array($0) } ?? Array("{}".utf8), userID: try call.user().id,
      requestID: call.body.string("request_id"))
    let result = try await counter.send(
      request, permission: permission, now: call.now, wait: .seconds(call.integer("wait", default: 0)))
    switch result {
    case .taken(let command):
      audit.commanded(type, of: appliance, by: request.userID, commandID: command.id, from: call.clientAddress)
      APIMetrics.command(command.code.flatMap { CommandFailure.Code(rawValue: $0)?.rawValue.lowercased() } ?? "accepted")
      return .json(
        command.json, status: .accepted, headers: [.location: "/api/v1/appliances/\(appliance)/commands/\(command.id)"])
    case .refused(let failure):
      audit.commanded(
        type, of: appliance, by: request.userID, commandID: nil, refusal: failure.code.rawValue, from: call.clientAddress)
      APIMetrics.command(failure.code.rawValue.lowercased())
      throw Self.problem(failure)
    case .unavailable:
      APIMetrics.command("unavailable")
      throw Problem.later(
        .unavailable, "The log did not answer: whether the command was taken is not known. Look for it in the list.", retryAfter_s: 5)
    }
  }

  /// A stop needs no table of anyone: it goes through while PostgreSQL is away.
  private func dialect(of appliance: ApplianceID, for type: EventType, _ call: Call) async throws -> CommandDialect {
    do {
      let caller = try call.user()
      return try await accounts.appliance(appliance, visibleTo: caller.id, as: caller.principal.role).map { .named($0.dialect.rawValue) }
        ?? .generic
    } catch {
      guard type.rawValue == "cooking:stop" else { throw error }
      return .epicura
    }
  }

  private static func problem(_ failure: CommandFailure) -> Problem {
    switch failure.code {
    case .notPermitted: Problem(.notPermitted, failure.message)
    case .tooManyCommands: .later(.tooManyRequests, failure.message, retryAfter_s: 5)
    case .invalidCommand, .applianceOffline, .timeout, .rejected, .superseded: Problem(.invalidCommand, failure.message)
    }
  }

  private func list(_ call: Call) async throws -> Response {
    let appliance = try call.appliance()
    let question = ["commands", appliance.rawValue]
    let after = try call.cursor(for: question, count: 2).map { cursor throws(Problem) in
      guard let microseconds = Int64(cursor.parts[0]) else { throw Problem(.invalidCursor) }
      return CommandPosition(issuedAt: Timestamp(microseconds: microseconds), commandID: cursor.parts[1])
    }
    let page = try await history.commands(of: appliance, after: after, limit: call.integer("limit", default: 100))
      .filter { try view.permits(call, commandOf: $0.userID) }
    let next = page.next.map { Cursor([String($0.issuedAt.microseconds), $0.commandID]).text(for: question) }
    return .json(Shapes.json("commands", page.items.map { CommandView($0).json }, next: next))
  }

  private func get(_ call: Call) async throws -> Response {
    guard let command = try await counter.current(call.path["command_id"] ?? "", of: call.appliance()),
      try view.permits(call, commandOf: command.userID)
    else {
      throw Problem(.commandNotFound)
    }
    return .json(command.json)
  }
}
