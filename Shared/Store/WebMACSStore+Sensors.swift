package import Models
import PostgresClient

extension WebMACSStore {
  // MARK: Sensors

  /// The sensors of a controller, by id.
  package func sensors(of controller: ApplianceID) async throws -> [Sensor] {
    let rows = try await pool.query(
      "SELECT public_id, name, unit FROM sensors WHERE appliance_id = $1 ORDER BY public_id", [.text(controller.rawValue)],
      timeout: Self.callTimeout)
    return try rows.decode(String.self, String.self, String.self).map { Sensor(id: $0, name: $1, unit: $2) }
  }

  /// Adds a sensor, or gives the one with this id the name and the unit. True when it was added.
  ///
  /// - Throws: `StoreError` `.alreadyExists` for one of another controller, `.tooMany`, `.invalidAccount`; `.notFound` when there is no such controller.
  package func putSensor(_ sensor: Sensor, of controller: ApplianceID) async throws -> Bool {
    try Sensor.check(sensor)
    return try await changing(controller) { session in
      let isNew = try !Self.exists(in: "sensors", sensor.id, of: controller, session)
      if isNew { try Self.requireRoom("sensors", Sensor.countMax, controller, session) }
      try Self.write(sensor, of: controller, in: session)
      return isNew
    }
  }

  /// Removes a sensor. Its readings stay.
  ///
  /// - Throws: `StoreError` `.notFound`.
  package func deleteSensor(_ id: String, of controller: ApplianceID) async throws {
    try await delete(from: "sensors", id, of: controller)
  }

  // MARK: Plugins

  /// The plugins of a controller, by id.
  package func plugins(of controller: ApplianceID) async throws -> [Plugin] {
    let rows = try await pool.query(
      """
      SELECT public_id, name, enabled, ARRAY(SELECT sensor_id::text FROM plugin_sensors WHERE plugin_id = public_id)
      FROM plugins WHERE appliance_id = $1 ORDER BY public_id
      """, [.text(controller.rawValue)], timeout: Self.callTimeout)
    return try rows.decode(String.self, String.self, Bool.self, [String].self).map {
      Plugin(id: $0, name: $1, isEnabled: $2, sensorIDs: $3)
    }
  }

  /// Adds a plugin, or makes the one with this id as it is given here. True when it was added.
  ///
  /// - Throws: `StoreError` as `putSensor`; `.notFound` also when one of its sensors is none of the controller's.
  package func putPlugin(_ plugin: Plugin, of controller: ApplianceID) async throws -> Bool {
    try Plugin.check(plugin)
    return try await changing(controller) { session in
      let isNew = try !Self.exists(in: "plugins", plugin.id, of: controller, session)
      if isNew { try Self.requireRoom("plugins", Plugin.countMax, controller, session) }
      try Self.write(plugin, of: controller, in: session)
      return isNew
    }
  }

  /// - Throws: `StoreError` `.notFound`.
  package func deletePlugin(_ id: String, of controller: ApplianceID) async throws {
    try await delete(from: "plugins", id, of: controller)
  }

  // MARK: How

  /// - Throws: `StoreError` `.alreadyExists` for one of another controller.
  static func write(_ sensor: Sensor, of controller: ApplianceID, in session: PostgresSession) throws {
    let count = try session.execute(
      """
      INSERT INTO sensors (public_id, appliance_id, name, unit) VALUES ($1, $2, $3, $4)
      ON CONFLICT (public_id) DO UPDATE SET name = excluded.name, unit = excluded.unit WHERE sensors.appliance_id = $2
      """, [.text(sensor.id), .text(controller.rawValue), .text(sensor.name), .text(sensor.unit)])
    guard count == 1 else { throw StoreError.takenElsewhere("sensor", sensor.id) }
  }

  /// - Throws: `StoreError` `.alreadyExists` for one of another controller; `.notFound` when a sensor is none of the controller's.
  static func write(_ plugin: Plugin, of controller: ApplianceID, in session: PostgresSession) throws {
    let count = try session.execute(
      """
      INSERT INTO plugins (public_id, appliance_id, name, enabled) VALUES ($1, $2, $3, $4)
      ON CONFLICT (public_id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled WHERE plugins.appliance_id = $2
      """, [.text(plugin.id), .text(controller.rawValue), .text(plugin.name), .bool(plugin.isEnabled)])
    guard count == 1 else { throw StoreError.takenElsewhere("plugin", plugin.id) }
    try session.execute(
      "DELETE FROM plugin_sensors WHERE plugin_id = $1 AND sensor_id <> ALL ($2)", [.text(plugin.id), .textArray(plugin.sensorIDs)])
    do throws(PostgresError) {
      try session.execute(
        """
        INSERT INTO plugin_sensors (appliance_id, plugin_id, sensor_id) SELECT $1, $2, unnest($3::text[])
        ON CONFLICT (plugin_id, sensor_id) DO NOTHING
        """, [.text(controller.rawValue), .text(plugin.id), .textArray(plugin.sensorIDs)])
    } catch {
      guard error.isBrokenReference else { throw error }
      throw StoreError(.notFound, "Plugin '\(plugin.id)' reads a sensor that is none of '\(controller)'")
    }
  }

  /// Runs `body` while nobody else changes what the controller has, so that counts hold.
  ///
  /// - Throws: `StoreError` `.notFound` when there is no such controller.
  func changing<Value: Sendable>(
    _ controller: ApplianceID, _ body: @escaping @Sendable (PostgresSession) throws -> Value
  ) async throws -> Value {
    try await pool.withTransaction(timeout: Self.callTimeout) { session in
      let found = try session.query("SELECT dialect FROM appliances WHERE id = $1 FOR NO KEY UPDATE", [.text(controller.rawValue)])
      guard try found.decode(String.self).first == Dialect.webmacs.rawValue else {
        throw StoreError(.notFound, "There is no appliance '\(controller)' that speaks webmacs")
      }
      return try body(session)
    }
  }

  private static func requireRoom(_ table: StaticString, _ countMax: Int, _ controller: ApplianceID, _ session: PostgresSession) throws {
    let count = try session.query("SELECT count(*) FROM \(table) WHERE appliance_id = $1", [.text(controller.rawValue)]).decode(Int.self)
    guard count.first ?? 0 < countMax else {
      throw StoreError(.tooMany, "Appliance '\(controller)' has \(countMax) \(table) already: remove one first")
    }
  }

  private static func exists(
    in table: StaticString, _ id: String, of controller: ApplianceID, _ session: PostgresSession
  ) throws(PostgresError) -> Bool {
    try !session.query("SELECT 1 FROM \(table) WHERE public_id = $1 AND appliance_id = $2", [.text(id), .text(controller.rawValue)]).isEmpty
  }

  static func drop(from table: StaticString, _ id: String, of controller: ApplianceID, in session: PostgresSession) throws(PostgresError) {
    try session.execute("DELETE FROM \(table) WHERE public_id = $1 AND appliance_id = $2", [.text(id), .text(controller.rawValue)])
  }

  /// What every controller has.
  static func setups(in session: PostgresSession) throws -> [ApplianceID: ControllerSetup] {
    var (sensors, plugins): ([String: [Sensor]], [String: [Plugin]]) = ([:], [:])
    for row in try session.query("SELECT appliance_id, public_id, name, unit FROM sensors").decode(
      String.self, String.self, String.self, String.self)
    {
      sensors[row.0, default: []].append(Sensor(id: row.1, name: row.2, unit: row.3))
    }
    let links = "ARRAY(SELECT sensor_id::text FROM plugin_sensors WHERE plugin_id = public_id)"
    for row in try session.query("SELECT appliance_id, public_id, name, enabled, \(links) FROM plugins").decode(
      String.self, String.self, String.self, Bool.self, [String].self)
    {
      plugins[row.0, default: []].append(Plugin(id: row.1, name: row.2, isEnabled: row.3, sensorIDs: row.4))
    }
    var setups: [ApplianceID: ControllerSetup] = [:]
    for id in Set(sensors.keys).union(plugins.keys) {
      setups[try ApplianceID(id)] = ControllerSetup(sensors: sensors[id] ?? [], plugins: plugins[id] ?? [])
    }
    return setups
  }

  func delete(from table: StaticString, _ id: String, of controller: ApplianceID) async throws {
    let count =
      AccountStore.canBeStored(id)
      ? try await pool.execute(
        "DELETE FROM \(table) WHERE public_id = $1 AND appliance_id = $2", [.text(id), .text(controller.rawValue)],
        timeout: Self.callTimeout) : 0
    guard count == 1 else { throw StoreError(.notFound, "Appliance '\(controller)' has no '\(id.prefix(80))' among its \(table)") }
  }
}

extension StoreError {
  static func takenElsewhere(_ kind: String, _ id: String) -> StoreError {
    StoreError(.alreadyExists, "There is a \(kind) '\(id)' at another controller: choose another id")
  }
}
