import Models

/// The sensors and plugins that a lab controller should have; nil leaves what there is.
package struct ControllerSetup: Hashable, Sendable {
  package let sensors: [Sensor]?
  package let plugins: [Plugin]?

  package init(sensors: [Sensor]?, plugins: [Plugin]?) {
    self.sensors = sensors
    self.plugins = plugins
  }
}

extension ControllerSetup {
  /// - Throws: `StoreError` `.invalidAccount` that names the entry: described twice, too many of them, or a text that cannot be stored.
  static func check(_ setup: ControllerSetup, of controller: ApplianceID) throws(StoreError) {
    for sensor in setup.sensors ?? [] { try Sensor.check(sensor) }
    for plugin in setup.plugins ?? [] { try Plugin.check(plugin) }
    try checkList(setup.sensors?.map(\.id) ?? [], Sensor.countMax, "sensor", controller)
    try checkList(setup.plugins?.map(\.id) ?? [], Plugin.countMax, "plugin", controller)
  }

  private static func checkList(_ ids: [String], _ countMax: Int, _ kind: String, _ controller: ApplianceID) throws(StoreError) {
    guard ids.count <= countMax else {
      throw StoreError(.invalidAccount, "Appliance '\(controller)' is described with \(ids.count) \(kind)s: it can have \(countMax)")
    }
    var seen: Set<String> = []
    for id in ids where !seen.insert(id).inserted {
      throw StoreError(.invalidAccount, "The \(kind) '\(id)' of appliance '\(controller)' is described twice: keep one")
    }
  }

  /// What it takes to get from one setup to another. What is wanted but not mentioned stays.
  ///
  /// - Parameter present: with all its lists.
  static func changes(of controller: ApplianceID, from present: ControllerSetup?, to wanted: ControllerSetup) throws(StoreError)
    -> [AccountChange]
  {
    let (oldSensors, oldPlugins) = (present?.sensors ?? [], present?.plugins ?? [])
    let known = Set((wanted.sensors ?? oldSensors).map(\.id))
    for plugin in wanted.plugins ?? [] {
      for id in plugin.sensorIDs where !known.contains(id) {
        throw StoreError(
          .invalidAccount, "Plugin '\(plugin.id)' reads the sensor '\(id.prefix(80))', which '\(controller)' does not have: add it")
      }
    }
    var changes: [AccountChange] = []
    if let plugins = wanted.plugins {
      let kept = Set(plugins.map(\.id))
      changes += oldPlugins.filter { !kept.contains($0.id) }.map { .dropPlugin($0.id, of: controller) }
    }
    if let sensors = wanted.sensors {
      changes += oldSensors.filter { !known.contains($0.id) }.map { .dropSensor($0.id, of: controller) }
      changes += sensors.filter { !oldSensors.contains($0) }.sorted { $0.id < $1.id }.map { .putSensor($0, of: controller) }
    }
    changes += (wanted.plugins ?? []).filter { !oldPlugins.contains($0) }.sorted { $0.id < $1.id }.map { .putPlugin($0, of: controller) }
    return changes
  }
}

extension Sensor {
  static func check(_ sensor: Sensor) throws(StoreError) {
    try checkID(sensor.id, of: "sensor")
    try checkText(sensor.name, 0...255, "The name of sensor '\(sensor.id)'")
    try checkText(sensor.unit, 0...64, "The unit of sensor '\(sensor.id)'")
  }
}

extension Plugin {
  static func check(_ plugin: Plugin) throws(StoreError) {
    try checkID(plugin.id, of: "plugin")
    try checkText(plugin.name, 0...255, "The name of plugin '\(plugin.id)'")
    guard plugin.sensorIDs.count <= Sensor.countMax else {
      throw StoreError(
        .invalidAccount, "Plugin '\(plugin.id)' reads \(plugin.sensorIDs.count) sensors: a controller can have \(Sensor.countMax)")
    }
    for id in plugin.sensorIDs { try checkID(id, of: "sensor") }
  }
}

/// 1 to 64 characters, as the WebMACS document's public ids.
func checkID(_ id: String, of kind: String) throws(StoreError) {
  try checkText(id, 1...256, "The id of \(kind) '\(id.prefix(80))'")
  guard WebMACSDatapoints.isEventID(id) else {
    throw StoreError(
      .invalidAccount, "The id of \(kind) '\(id.prefix(80))' must have 1 to \(WebMACSDatapoints.eventIDLengthMax) characters")
  }
}
