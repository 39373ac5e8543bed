import Access
import HTTPTypes
import Hummingbird
import Models
import Store

/// What a lab controller measures, and the plugins that read it.
struct SensorRoutes: Sendable {
  let store: WebMACSStore
  let announcer: Announcer

  private static let publicID = Schema.text(1...64)

  private static let sensor = Schema.named(
    "Sensor",
    .object([
      .required("id", publicID, "The event_public_id of its datapoints."), .required("name", .text(0...255)),
      .required("unit", .text(0...64), "Such as °C; empty where it has none."),
    ]))

  private static let plugin = Schema.named(
    "Plugin",
    .object([
      .required("id", publicID), .required("name", .text(0...255)),
      .required("enabled", .boolean, "What no enabled plugin reads is not taken in."),
      .required("sensor_ids", .list(publicID), "The sensors that it reads."),
    ]))

  var routes: [Route] { sensorRoutes + pluginRoutes }

  private var sensorRoutes: [Route] {
    let path = "/api/v1/appliances/{appliance_id}/sensors"
    return [
      Route(
        Operation(
          method: .get, path: path, id: "listSensors", group: .controllers, summary: "The sensors of a lab controller, by id.",
          admittance: .appliance(.watch), query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("sensors", of: Self.sensor)))), listSensors),
      Route(
        Operation(
          method: .put, path: path + "/{sensor_id}", id: "putSensor", group: .controllers,
          summary: "Adds a sensor, or changes it. Its datapoints are taken in while an enabled plugin reads it.",
          admittance: .appliance(.own),
          body: .init(
            schema: .named(
              "SensorChange",
              .object([.optional("name", .text(0...255), "The id when left out."), .optional("unit", .text(0...64))])), isOptional: true),
          answer: .init(status: .ok, note: "The sensor.", content: .json(Self.sensor)),
          problems: [.wrongDialect, .alreadyExists, .limitReached]), putSensor),
      Route(
        Operation(
          method: .delete, path: path + "/{sensor_id}", id: "deleteSensor", group: .controllers,
          summary: "Removes a sensor. Its readings stay.", admittance: .appliance(.own),
          answer: .init(status: .noContent, note: "Removed."), problems: [.sensorNotFound]), deleteSensor),
    ]
  }

  private var pluginRoutes: [Route] {
    let path = "/api/v1/appliances/{appliance_id}/plugins"
    return [
      Route(
        Operation(
          method: .get, path: path, id: "listPlugins", group: .controllers, summary: "The plugins of a lab controller, by id.",
          admittance: .appliance(.watch), query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("plugins", of: Self.plugin)))), listPlugins),
      Route(
        Operation(
          method: .put, path: path + "/{plugin_id}", id: "putPlugin", group: .controllers,
          summary: "Adds a plugin, or makes it as it is given here.", admittance: .appliance(.own),
          body: .init(
            schema: .named(
              "PluginChange",
              .object([
                .optional("name", .text(0...255), "The id when left out."), .optional("enabled", .boolean, "true when left out."),
                .required("sensor_ids", .list(Self.publicID)),
              ])), bytesMax: 131_072),
          answer: .init(status: .ok, note: "The plugin.", content: .json(Self.plugin)),
          problems: [.wrongDialect, .alreadyExists, .limitReached]), putPlugin),
      Route(
        Operation(
          method: .delete, path: path + "/{plugin_id}", id: "deletePlugin", group: .controllers, summary: "Removes a plugin.",
          admittance: .appliance(.own), answer: .init(status: .noContent, note: "Removed."), problems: [.pluginNotFound]), deletePlugin),
    ]
  }

  // MARK: Sensors

  private static func json(_ sensor: Sensor) -> JSONValue {
    ["id": .text(sensor.id), "name": .text(sensor.name), "unit": .text(sensor.unit)]
  }

  private func listSensors(_ call: Call) async throws -> Response {
    try call.page("sensors", of: try await store.sensors(of: call.appliance()), id: \.id, Self.json)
  }

  private func putSensor(_ call: Call) async throws -> Response {
    let (controller, id) = (try call.appliance(), call.path["sensor_id"] ?? "")
    let sensor = Sensor(id: id, name: call.body.string("name") ?? id, unit: call.body.string("unit") ?? "")
    try await refusingOtherDialects { _ = try await store.putSensor(sensor, of: controller) }
    await announcer.changed(.sensors(of: controller))
    return .json(Self.json(sensor))
  }

  private func deleteSensor(_ call: Call) async throws -> Response {
    let controller = try call.appliance()
    do { try await store.deleteSensor(call.path["sensor_id"] ?? "", of: controller) } catch let error as StoreError
      where error.code == .notFound
    { throw Problem(.sensorNotFound) }
    await announcer.changed(.sensors(of: controller))
    return .noContent
  }

  // MARK: Plugins

  private static func json(_ plugin: Plugin) -> JSONValue {
    [
      "id": .text(plugin.id), "name": .text(plugin.name), "enabled": .boolean(plugin.isEnabled),
      "sensor_ids": .list(plugin.sensorIDs.map { .text($0) }),
    ]
  }

  private func listPlugins(_ call: Call) async throws -> Response {
    try call.page("plugins", of: try await store.plugins(of: call.appliance()), id: \.id, Self.json)
  }

  private func putPlugin(_ call: Call) async throws -> Response {
    let (controller, id) = (try call.appliance(), call.path["plugin_id"] ?? "")
    let sensorIDs = try (call.body.elements("sensor_ids") ?? []).enumerated().map { index, element throws(Problem) in
      let text = element.first == UInt8(ascii: "\"") ? JSONString.decode(element) : ""
      guard WebMACSDatapoints.isEventID(text) else {
        throw Problem(.invalidBody, violations: [Violation(place: "/sensor_ids/\(index)", detail: "must be \(Self.publicID.words)")])
      }
      return text
    }
    let enabled = call.body.raw("enabled").map { $0.elementsEqual("true".utf8) } ?? true
    let plugin = Plugin(id: id, name: call.body.string("name") ?? id, isEnabled: enabled, sensorIDs: sensorIDs)
    try await refusingOtherDialects { _ = try await store.putPlugin(plugin, of: controller) }
    await announcer.changed(.sensors(of: controller))
    return .json(Self.json(plugin))
  }

  private func deletePlugin(_ call: Call) async throws -> Response {
    let controller = try call.appliance()
    do { try await store.deletePlugin(call.path["plugin_id"] ?? "", of: controller) } catch let error as StoreError
      where error.code == .notFound
    { throw Problem(.pluginNotFound) }
    await announcer.changed(.sensors(of: controller))
    return .noContent
  }
}

/// The appliance in the path is known to be there, so what is not found is that it speaks the dialect.
func refusingOtherDialects(_ work: () async throws -> Void) async throws {
  do { try await work() } catch let error as StoreError where error.code == .notFound {
    throw Problem(.wrongDialect, error.description + ".")
  }
}

extension Call {
  /// A page of a list that is read whole, because it is short.
  ///
  /// - Parameters:
  ///   - items: in the order of their ids.
  ///   - id: one of each.
  func page<Item>(_ name: String, of items: [Item], id: (Item) -> String, _ json: (Item) -> JSONValue) throws -> Response {
    let question = [name, path["appliance_id"] ?? ""]
    let after = try cursor(for: question, count: 1)?.parts[0]
    let limit = integer("limit", default: 100)
    let rest = after.map { after in items.drop { !Self.isBehind(id($0), after) } } ?? items[...]
    let next = rest.count > limit ? Cursor([id(rest[rest.startIndex + limit - 1])]).text(for: question) : nil
    return .json(Shapes.json(name, rest.prefix(limit).map(json), next: next))
  }

  /// In PostgreSQL's order "C".
  private static func isBehind(_ id: String, _ other: String) -> Bool { other.utf8.lexicographicallyPrecedes(id.utf8) }
}
