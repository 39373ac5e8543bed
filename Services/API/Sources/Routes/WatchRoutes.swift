import Access
import EventLog
import HTTPTypes
import Hummingbird
import Logging
import Models
import Store

/// Who watches or has watched which camera: the signaling broker's sessions, listed and ended.
///
/// Whoever owns a camera, and every admin, sees and ends all of its sessions; everybody else only their own.
struct WatchRoutes: Sendable {
  let watches: WatchStore
  let log: any EventLog
  let audit: RequestAudit
  let logger: Logger

  private static let state = Operation.Parameter(
    name: "state", schema: .word(["open", "ended"]), note: "Only those that go on, or only those that are over; both when left out.")
  private static let path = "/api/v1/appliances/{appliance_id}/watches"

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/watches", id: "listAllWatches", group: .watches,
          summary: "Watch sessions of all cameras, newest first. One that has just begun may take a second to appear.", admittance: .admin,
          query: [
            Operation.Parameter(
              name: "appliance_id", schema: .applianceID, note: "Only this camera's, also when it is registered no more."),
            Operation.Parameter(name: "user_id", schema: .text(1...255), note: "Only those in which this user watched."),
            Self.state, Shapes.limit, Shapes.cursor,
          ],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("watches", of: Shapes.watch)))), listAll),
      Route(
        Operation(
          method: .get, path: Self.path, id: "listWatches", group: .watches,
          summary: "Watch sessions of a camera, newest first: all of them for its owner, the caller's own for others.",
          admittance: .appliance(.watch), query: [Self.state, Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("watches", of: Shapes.watch)))), list),
      Route(
        Operation(
          method: .get, path: Self.path + "/{watch_id}", id: "getWatch", group: .watches, summary: "One watch session.",
          admittance: .appliance(.watch), answer: .init(status: .ok, note: "The session.", content: .json(Shapes.watch)),
          problems: [.sessionNotFound]), get),
      Route(
        Operation(
          method: .delete, path: Self.path + "/{watch_id}", id: "endWatch", group: .watches,
          summary: "Ends a watch session; both ends are told. One that is over stays as it ended.", admittance: .appliance(.watch),
          answer: .init(
            status: .accepted, note: "The session as it is by now; the broker ends it at once, or within seconds.",
            content: .json(Shapes.watch)),
          problems: [.sessionNotFound]), end),
    ]
  }

  // MARK: Lists

  private func listAll(_ call: Call) async throws -> Response {
    let device = try call.query["appliance_id"].map { try ApplianceID($0) }
    return try await page(
      WatchSelection(device: device, userID: call.query["user_id"]),
      question: ["watches"] + call.narrowing(["appliance_id", "user_id", "state"]), call)
  }

  private func list(_ call: Call) async throws -> Response {
    let device = try call.appliance()
    let onlyOwn = call.permission ?? .watch < .own ? try call.user().id : nil
    return try await page(
      WatchSelection(device: device, userID: onlyOwn),
      question: ["watches", device.rawValue, onlyOwn ?? ""] + call.narrowing(["state"]), call)
  }

  private func page(_ selection: WatchSelection, question: [String], _ call: Call) async throws -> Response {
    var selection = selection
    selection.isOpen = call.query["state"].map { $0 == "open" }
    let after = try call.cursor(for: question, count: 2).map { cursor throws(Problem) in
      guard let microseconds = Int64(cursor.parts[0]), let id = WatchID(cursor.parts[1]) else { throw Problem(.invalidCursor) }
      return WatchPosition(startedAt: Timestamp(microseconds: microseconds), id: id)
    }
    let page = try await watches.watches(selection, after: after, limit: call.integer("limit", default: 100))
    let next = page.next.map { Cursor([String($0.startedAt.microseconds), $0.id.text]).text(for: question) }
    return .json(Shapes.json("watches", page.items.map(Self.json), next: next))
  }

  // MARK: One

  /// The session in the path, if it is the camera's and the caller may know of it.
  private func watch(_ call: Call) async throws -> WatchRecord {
    let (device, caller) = (try call.appliance(), try call.user())
    guard let id = call.path["watch_id"].flatMap({ WatchID($0) }), let watch = try await watches.watch(id), watch.device == device else {
      throw Problem(.sessionNotFound)
    }
    guard call.permission ?? .watch >= .own || watch.userID == caller.id else {
      audit.refusedWatch(watch, to: caller.id, from: call.clientAddress)
      throw Problem(.sessionNotFound)
    }
    return watch
  }

  private func get(_ call: Call) async throws -> Response { .json(Self.json(try await watch(call))) }

  private func end(_ call: Call) async throws -> Response {
    let (watch, caller) = (try await watch(call), try call.user())
    if try await watches.requestEnd(watch.id, by: caller.id, now: call.now) {
      audit.endedWatch(watch, by: caller.id, from: call.clientAddress)
      logger.info(
        "a watch is to end",
        metadata: [
          "session_id": "\(watch.id)", "appliance_id": "\(watch.device)", "user_id": "\(watch.userID)", "asked_by": "\(caller.id)",
        ])
      do {
        try await log.publish(Array(watch.id.text.utf8), to: Bus.signalEnds)
      } catch {
        logger.warning("the end of a watch could not be announced, so that it comes some seconds later: \(error)")
      }
    }
    return .json(Self.json(try await watches.watch(watch.id) ?? watch), status: .accepted)
  }

  private static func json(_ watch: WatchRecord) -> JSONValue {
    [
      "session_id": .text(watch.id.text), "appliance_id": .text(watch.device.rawValue), "user_id": .text(watch.userID),
      "state": watch.end == nil ? "open" : "ended", "started_at": .time(watch.startedAt),
      "answered_at": .optional(watch.answeredAt) { .time($0) }, "ended_at": .optional(watch.end) { .time($0.at) },
      "duration_s": .optional(watch.end) { .number(($0.at - watch.startedAt) / .seconds(1)) },
      "reason": .optional(watch.end) { .text($0.reason.rawValue) },
      "end_requested_at": .optional(watch.endRequest) { .time($0.at) },
      "end_requested_by": .optional(watch.endRequest) { .text($0.userID) },
    ]
  }
}
