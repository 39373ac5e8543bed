internal import Models

/// How a heater module is (the reefnet document, as all in this file).
public struct HeaterStatus: Hashable, Sendable {
  /// One thing that it controls.
  public struct Subsystem: Hashable, Sendable {
    public let key: String?
    public let label: String?
    /// `heating`, `idle`, `locked`.
    public let state: String?
    /// `ok`, `active`, `alarm`.
    public let badge: String?
    public let isLockedOut: Bool?
    /// Those that are numbers, by name.
    public let setpoints: [String: Double]
    public let sensors: [Sensor]

    init(_ data: JSONObject) {
      key = data.string("key")
      label = data.string("label")
      state = data.string("state")
      badge = data.string("badge")
      isLockedOut = data.boolean("safety_lockout")
      setpoints = data.object("setpoints")?.numbers ?? [:]
      sensors = data.objects("sensors").map(Sensor.init)
    }
  }

  /// A probe; one that is broken has no value.
  public struct Sensor: Hashable, Sendable {
    public let label: String?
    public let value: Double?
    public let unit: String?

    init(_ data: JSONObject) {
      label = data.string("label")
      value = data.number("value")
      unit = data.string("unit")
    }
  }

  public let uptime_s: Double?
  public let firmwareVersion: String?
  /// Of its surroundings, in °C.
  public let temperature: Double?
  public let subsystems: [Subsystem]

  init(_ data: JSONObject) {
    let payload = data.object("payload")
    uptime_s = payload?.number("uptime_s")
    firmwareVersion = payload?.object("firmware")?.string("version")
    temperature = payload?.object("environment")?.number("temperature_c")
    subsystems = payload?.objects("subsystems").map(Subsystem.init) ?? []
  }
}

/// A heater's alarm begins or ends.
public struct HeaterAlarm: Hashable, Sendable {
  public let code: String?
  public let message: String?
  /// `info`, `warning`, `critical`.
  public let severity: String?
  public let isActive: Bool?
  public let detail: String?

  init(_ data: JSONObject) {
    let payload = data.object("payload")
    code = payload?.string("code")
    message = payload?.string("message")
    severity = payload?.string("severity")
    isActive = payload?.boolean("active")
    detail = payload?.string("detail")
  }
}
