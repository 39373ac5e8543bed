import Models

/// What a robot tells: the events of the OHT-50 document, each with the members and in the order that the document shows.
struct RobotEvent: Sendable, Equatable {
  let type: OHT50EventType
  /// The event's `data`.
  let data: [UInt8]

  /// Where the robot is, on its rail.
  struct Position: Sendable, Equatable {
    var x = 0.0

    fileprivate var text: JSONWriter {
      var object = JSONWriter()
      object.add("x", x, digits: 1)
      object.add("y", 0.0, digits: 1)
      object.add("z", 0.0, digits: 1)
      return object
    }
  }

  private init(_ type: OHT50EventType, _ write: (inout JSONWriter) -> Void) {
    self.type = type
    var object = JSONWriter()
    write(&object)
    data = object.bytes
  }

  static func status(_ status: String, state: String, uptime_s: Double, temperature_c: Double) -> Self {
    Self(.systemStatus) {
      var health = JSONWriter()
      health.add("cpu", 45.2, digits: 1)
      health.add("memory", 67.8, digits: 1)
      health.add("disk", 23.1, digits: 1)
      health.add("temperature", temperature_c, digits: 1)
      $0.add("status", status)
      $0.add("state", state)
      $0.add("uptime", Int(uptime_s))
      $0.add("version", "1.2.3")
      $0.add("health", health)
    }
  }

  static func error(_ code: String, _ name: String, severity: String, _ description: String, services: [String]) -> Self {
    Self(.systemError) {
      $0.add("error_code", code)
      $0.add("error_name", name)
      $0.add("severity", severity)
      $0.add("description", description)
      $0.add("affected_services", services)
    }
  }

  static func telemetry(_ position: Position, velocity: Double, acceleration: Double, battery: Double, temperature_c: Double) -> Self {
    Self(.telemetryRealtime) {
      var orientation = JSONWriter()
      for name in ["roll", "pitch", "yaw"] { orientation.add(name, 0.0, digits: 1) }
      var sensors = JSONWriter()
      sensors.add("battery", battery, digits: 1)
      sensors.add("temperature", temperature_c, digits: 1)
      sensors.add("humidity", 45.8, digits: 1)
      $0.add("position", position.text)
      $0.add("velocity", motion(velocity))
      $0.add("acceleration", motion(acceleration))
      $0.add("orientation", orientation)
      $0.add("sensors", sensors)
    }
  }

  private static func motion(_ linear: Double) -> JSONWriter {
    var object = JSONWriter()
    object.add("linear", linear, digits: 2)
    object.add("angular", 0.0, digits: 1)
    return object
  }

  static func streaming(rate_hz: Double, lastUpdate: Timestamp) -> Self {
    Self(.telemetryStatus) {
      $0.add("streaming", true)
      $0.add("rate", rate_hz, digits: 2)
      $0.add("connected_clients", 1)
      $0.add("last_update", lastUpdate.iso8601)
    }
  }

  static func started(_ mission: String, type: String, from start: Position, to target: Position, seconds: Double) -> Self {
    Self(.missionStarted) {
      $0.add("mission_id", mission)
      $0.add("mission_type", type)
      $0.add("start_position", start.text)
      $0.add("target_position", target.text)
      $0.add("estimated_duration", Int(seconds))
    }
  }

  static func progress(_ mission: String, percent: Double, at position: Position, distance: Double, completion: Timestamp) -> Self {
    Self(.missionProgress) {
      $0.add("mission_id", mission)
      $0.add("progress", percent, digits: 1)
      $0.add("current_position", position.text)
      $0.add("remaining_distance", distance, digits: 1)
      $0.add("estimated_completion", completion.iso8601)
    }
  }

  static func completed(_ mission: String, status: String, seconds: Double, at position: Position, distance: Double) -> Self {
    Self(.missionCompleted) {
      var summary = JSONWriter()
      summary.add("distance_traveled", distance, digits: 1)
      summary.add("energy_consumed", distance / 500, digits: 1)
      summary.add("errors_encountered", 0)
      $0.add("mission_id", mission)
      $0.add("status", status)
      $0.add("completion_time", Int(seconds))
      $0.add("final_position", position.text)
      $0.add("summary", summary)
    }
  }

  static func zone(_ zone: RobotZone, at position: Position) -> Self {
    Self(.safetyZoneEntered) {
      $0.add("zone_id", zone.id)
      $0.add("zone_type", zone.type)
      $0.add("position", position.text)
      $0.add("action", zone.action)
    }
  }

  static func estop(_ id: String, trigger: String, at position: Position) -> Self {
    Self(.safetyEstop) {
      $0.add("estop_id", id)
      $0.add("trigger_type", trigger)
      $0.add("position", position.text)
      $0.add("emergency_level", "critical")
      $0.add("auto_recovery", false)
    }
  }

  static func clear(by who: String, at position: Position, next: String) -> Self {
    Self(.safetyClear) {
      $0.add("cleared_by", who)
      $0.add("position", position.text)
      $0.add("next_action", next)
    }
  }

  static func updated(_ id: String, version: String, _ changes: [(name: String, text: String)]) -> Self {
    Self(.configUpdated) {
      var object = JSONWriter()
      for change in changes { object.add(change.name, change.text) }
      $0.add("config_id", id)
      $0.add("version", version)
      $0.add("updated_by", "operator@example.com")
      $0.add("changes", object)
      $0.add("status", "applied")
    }
  }

  static func rollback(from: String, to: String) -> Self {
    Self(.configRollback) {
      $0.add("from_version", from)
      $0.add("to_version", to)
      $0.add("reason", "performance_issue")
      $0.add("rolled_back_by", "system")
      $0.add("status", "completed")
    }
  }

  static func discovered(_ module: RobotModule) -> Self {
    Self(.moduleDiscovered) {
      $0.add("module_id", module.id)
      $0.add("module_type", module.type)
      $0.add("address", module.address)
      $0.add("firmware_version", "2.1.0")
      $0.add("status", "online")
    }
  }

  static func module(_ module: RobotModule, works: Bool) -> Self {
    Self(.moduleStatusChange) {
      $0.add("module_id", module.id)
      $0.add("old_status", works ? "error" : "online")
      $0.add("new_status", works ? "online" : "error")
      guard !works else { return }
      $0.add("error_code", "MOD-001")
      $0.add("error_description", "Communication timeout")
    }
  }
}

/// A stretch of the rail in which a robot has to take care.
struct RobotZone: Sendable, Equatable {
  let id: String
  let type: String
  let action: String
  let stretch: ClosedRange<Double>
  /// How much of its speed the robot keeps there.
  let speed: Double

  static let all = [
    RobotZone(id: "zone-001", type: "restricted", action: "slow_down", stretch: 800...900, speed: 0.4),
    RobotZone(id: "zone-002", type: "warning", action: "alert", stretch: 300...350, speed: 1),
  ]
}

/// A part of a robot.
struct RobotModule: Sendable, Equatable {
  let id: String
  let type: String
  let address: String

  static let all = [
    RobotModule(id: "module-001", type: "motor", address: "192.168.1.100"),
    RobotModule(id: "module-002", type: "sensor", address: "192.168.1.101"),
    RobotModule(id: "module-003", type: "actuator", address: "192.168.1.102"),
  ]
}
