import Access
import HTTPTypes
import Hummingbird
import Models
import RedisClient
import Store

/// Whether a camera is connected to the signaling broker, and what it last said of itself.
struct PresenceRoutes: Sendable {
  let accounts: AccountStore
  let redis: RedisClient
  let view: RoleView

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/presence", id: "getPresence", group: .watches,
          summary: "Whether a camera is connected, and what it last said of itself.", admittance: .appliance(.watch),
          answer: .init(status: .ok, note: "The presence.", content: .json(Shapes.presence)), problems: [.presenceNotFound, .notPermitted]),
        get)
    ]
  }

  private func get(_ call: Call) async throws -> Response {
    let (device, caller) = (try call.appliance(), try call.user())
    guard let appliance = try await accounts.appliance(device, visibleTo: caller.id, as: caller.principal.role) else {
      throw Problem(.applianceNotFound)
    }
    guard appliance.dialect == .signaling else { throw Problem(.presenceNotFound) }
    guard view.permits(call, .appliancePresence) else {
      throw Problem(.notPermitted, "The caller's role does not get the presence of cameras.")
    }
    let fields = try await read(device)
    let (since, said, at) = (fields[0].flatMap(Self.milliseconds), fields[1], fields[2].flatMap(Self.microseconds))
    return .json([
      "appliance_id": .text(device.rawValue), "connected": .boolean(since != nil), "connected_since": .optional(since) { .time($0) },
      "data": .optional(said) { .raw($0) }, "data_at": .optional(at) { .time($0) },
      "data_age_s": .optional(at) { .number(max(0, (call.now - $0) / .seconds(1))) },
    ])
  }

  /// `since`, `data` and `at`, as the broker keeps them.
  private func read(_ device: ApplianceID) async throws(Problem) -> [[UInt8]?] {
    do {
      let replies = try await redis.pipeline([
        RedisCommand("HMGET", Bus.signalDevice(device), "since"), RedisCommand("HMGET", Bus.signalPresence(device), "data", "at"),
      ])
      let fields = try replies.flatMap { try $0.get().array ?? [] }.map(\.bytes)
      if fields.count == 3 { return fields }
    } catch {}
    throw .later(.unavailable, "Redis, which knows who is connected, does not answer.", retryAfter_s: 5)
  }

  private static func milliseconds(_ text: [UInt8]) -> Timestamp? { whole(text).map { Timestamp(microseconds: $0 * 1000) } }
  private static func microseconds(_ text: [UInt8]) -> Timestamp? { whole(text).map(Timestamp.init(microseconds:)) }
  private static func whole(_ text: [UInt8]) -> Int64? { Int64(String(decoding: text, as: UTF8.self)) }
}
