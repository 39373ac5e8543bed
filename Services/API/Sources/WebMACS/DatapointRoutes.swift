import Access
import HTTPTypes
import Hummingbird
import Models

/// The WebMACS document's polling fallback.
struct DatapointRoutes: Sendable {
  let gate: AccessGate
  let latest: LatestReadings
  let roles: RoleTable

  /// More controllers than one connection of the live stream has; see `MARTLET_SUBSCRIPTIONS_MAX` of the gateway.
  private static let controllersMax = 256

  private static let datapoint = Schema.named(
    "Datapoint",
    .object([
      .required("value", .number), .required("event_public_id", .opaque(1...64), "The sensor."),
      .required("timestamp", .opaque(26...26), "UTC, in microseconds, without a zone."),
      .required("experiment_public_id", .nullable(.opaque(1...64)), "The experiment that was active then."),
    ]))

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/datapoints/latest", id: "latestDatapoints", group: .controllers,
          summary: "The newest reading of each sensor that the caller may see, as on the live stream. Ask with If-None-Match.",
          answer: .init(
            status: .ok, note: "All of them, by sensor.", content: .json(.object([.required("datapoints", .list(Self.datapoint))])),
            hasTag: true)), get)
    ]
  }

  private func get(_ call: Call) async throws -> Response {
    let principal = try call.user().principal
    guard let controllers = await gate.appliances(of: .webmacs, visibleTo: principal, limit: Self.controllersMax) else {
      throw Problem.later(.unavailable, retryAfter_s: 5)
    }
    let heard = controllers.filter { roles.permits($0.permission, event: .datapoints) }.map(\.id)
    return try await latest.body(of: heard).response(to: call, headers: [.contentType: "application/json"])
  }
}
