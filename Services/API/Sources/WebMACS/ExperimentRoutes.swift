import Access
import HTTPTypes
import Hummingbird
import Models
import Store

/// Runs of a lab controller whose readings belong together.
struct ExperimentRoutes: Sendable {
  let store: WebMACSStore
  let announcer: Announcer

  private static let experiment = Schema.named(
    "Experiment",
    .object([
      .required("id", .text(1...64), "The experiment_public_id of its datapoints."), .required("name", .text(0...255)),
      .required("created_at", .moment), .required("started_at", .nullable(.moment), "Null before it was started."),
      .required("stopped_at", .nullable(.moment), "Null while it is active, and before."),
    ]))

  var routes: [Route] {
    let path = "/api/v1/appliances/{appliance_id}/experiments"
    let one = path + "/{experiment_id}"
    return [
      Route(
        Operation(
          method: .get, path: path, id: "listExperiments", group: .controllers,
          summary: "The experiments of a lab controller, newest first.", admittance: .appliance(.watch),
          query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("experiments", of: Self.experiment)))), list),
      Route(
        Operation(
          method: .post, path: path, id: "createExperiment", group: .controllers,
          summary: "Adds an experiment, which is not started by that.",
          admittance: .appliance(.operate),
          body: .init(
            schema: .named(
              "NewExperiment",
              .object([
                .optional("id", .text(1...64), "Made here when left out."), .optional("name", .text(0...255), "The id when left out."),
              ])),
            isOptional: true),
          answer: .init(status: .created, note: "The experiment.", content: .json(Self.experiment), hasLocation: true),
          problems: [.wrongDialect, .alreadyExists]), create),
      Route(
        Operation(
          method: .get, path: one, id: "getExperiment", group: .controllers, summary: "One experiment.", admittance: .appliance(.watch),
          answer: .init(status: .ok, note: "The experiment.", content: .json(Self.experiment)), problems: [.experimentNotFound]), get),
      Route(
        Operation(
          method: .post, path: one + "/start", id: "startExperiment", group: .controllers,
          summary: "Starts an experiment: readings belong to it from now on. One of a controller is active at a time.",
          admittance: .appliance(.operate), answer: .init(status: .ok, note: "The experiment.", content: .json(Self.experiment)),
          problems: [.experimentNotFound, .stillInUse]), start),
      Route(
        Operation(
          method: .post, path: one + "/stop", id: "stopExperiment", group: .controllers, summary: "Stops an experiment.",
          admittance: .appliance(.operate), answer: .init(status: .ok, note: "The experiment.", content: .json(Self.experiment)),
          problems: [.experimentNotFound, .stillInUse]), stop),
      Route(
        Operation(
          method: .delete, path: one, id: "deleteExperiment", group: .controllers,
          summary: "Removes an experiment that is not active. Its readings stay.", admittance: .appliance(.own),
          answer: .init(status: .noContent, note: "Removed."), problems: [.experimentNotFound, .stillInUse]), delete),
    ]
  }

  private static func json(_ experiment: Experiment) -> JSONValue {
    [
      "id": .text(experiment.id), "name": .text(experiment.name), "created_at": .time(experiment.createdAt),
      "started_at": .optional(experiment.startedAt) { .time($0) }, "stopped_at": .optional(experiment.stoppedAt) { .time($0) },
    ]
  }

  private func list(_ call: Call) async throws -> Response {
    let (controller, limit) = (try call.appliance(), call.integer("limit", default: 100))
    let question = ["experiments", controller.rawValue]
    let after = try call.cursor(for: question, count: 2).map { cursor throws(Problem) in
      guard let microseconds = Int64(cursor.parts[0]) else { throw Problem(.invalidCursor) }
      return ExperimentPosition(createdAt: Timestamp(microseconds: microseconds), id: cursor.parts[1])
    }
    let experiments = try await store.experiments(of: controller, after: after, limit: limit + 1)
    let last = experiments.count > limit ? experiments[limit - 1] : nil
    let next = last.map { Cursor([String($0.createdAt.microseconds), $0.id]).text(for: question) }
    return .json(Shapes.json("experiments", experiments.prefix(limit).map(Self.json), next: next))
  }

  private func create(_ call: Call) async throws -> Response {
    let controller = try call.appliance()
    let id = call.body.string("id") ?? Self.madeID()
    try await refusingOtherDialects { try await store.createExperiment(id, name: call.body.string("name") ?? id, of: controller) }
    let location = "/api/v1/appliances/\(controller)/experiments/\(QueryText.encode(id))"
    return .json(Self.json(try await experiment(id, controller)), status: .created, headers: [.location: location])
  }

  /// As long as the document's UUIDs, and as hard to guess.
  private static func madeID() -> String {
    let words = [UInt64.random(in: 0 ... .max), UInt64.random(in: 0 ... .max)]
    return words.map { String(repeating: "0", count: $0.leadingZeroBitCount / 4) + ($0 == 0 ? "" : String($0, radix: 16)) }.joined()
  }

  private func experiment(_ id: String, _ controller: ApplianceID) async throws -> Experiment {
    guard let experiment = try await store.experiment(id, of: controller) else { throw Problem(.experimentNotFound) }
    return experiment
  }

  private static func id(_ call: Call) -> String { call.path["experiment_id"] ?? "" }

  private func get(_ call: Call) async throws -> Response { .json(Self.json(try await experiment(Self.id(call), call.appliance()))) }

  private func start(_ call: Call) async throws -> Response {
    try await change(call) { try await store.startExperiment($0, of: $1, now: call.now) }
  }

  private func stop(_ call: Call) async throws -> Response {
    try await change(call) { try await store.stopExperiment($0, of: $1, now: call.now) }
  }

  private func change(_ call: Call, _ work: (String, ApplianceID) async throws -> Void) async throws -> Response {
    let (id, controller) = (Self.id(call), try call.appliance())
    do { try await work(id, controller) } catch let error as StoreError where error.code == .notFound { throw Problem(.experimentNotFound) }
    await announcer.changed(.sensors(of: controller))
    return .json(Self.json(try await experiment(id, controller)))
  }

  private func delete(_ call: Call) async throws -> Response {
    do { try await store.deleteExperiment(Self.id(call), of: call.appliance()) } catch let error as StoreError
      where error.code == .notFound
    { throw Problem(.experimentNotFound) }
    return .noContent
  }
}
