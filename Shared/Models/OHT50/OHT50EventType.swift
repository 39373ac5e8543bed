/// The event types of the OHT-50 document, section 2. On the bus an event is under the same type, and its `data` is the document's, byte for byte: a console gets
/// the document's frame with the envelope's `appliance_id` and `id` beside it.
package enum OHT50EventType: String, Hashable, Sendable, CaseIterable {
  case systemStatus = "system.status"
  case systemError = "system.error"
  case telemetryRealtime = "telemetry.realtime"
  case telemetryStatus = "telemetry.status"
  case missionStarted = "mission.started"
  case missionProgress = "mission.progress"
  case missionCompleted = "mission.completed"
  case safetyZoneEntered = "safety.zone_entered"
  case safetyEstop = "safety.estop"
  case safetyClear = "safety.clear"
  case configUpdated = "config.updated"
  case configRollback = "config.rollback"
  case moduleDiscovered = "module.discovered"
  case moduleStatusChange = "module.status_change"

  package init?(_ type: EventType) { self.init(rawValue: type.rawValue) }

  package var eventType: EventType { EventType(known: rawValue) }

  /// What `data` must hold: what the event is nothing without. The document's other members are checked where they stand, because a robot may not have them (a sensor, an error
  /// of a module that works again). Names of states that the document does not list pass. Of a safety event nothing is asked: none is dropped for what it lacks.
  package var shape: DataShape {
    switch self {
    case .systemStatus: Self.status
    case .systemError: Self.error
    case .telemetryRealtime: Self.realtime
    case .telemetryStatus: Self.streaming
    case .missionStarted: Self.started
    case .missionProgress: Self.progress
    case .missionCompleted: Self.completed
    case .safetyZoneEntered, .safetyEstop, .safetyClear: DataShape()
    case .configUpdated: Self.updated
    case .configRollback: Self.rollback
    case .moduleDiscovered: Self.discovered
    case .moduleStatusChange: Self.statusChange
    }
  }

  private static let status = DataShape([
    .required("status", .string), .optional("state", .string), .optional("uptime", .number), .optional("version", .string),
    .optional("health", numbers("cpu", "memory", "disk", "temperature")),
  ])
  private static let error = DataShape([
    .required("error_code", .string), .optional("error_name", .string), .required("severity", .string), .optional("description", .string),
    .optional("affected_services", .strings),
  ])
  private static let realtime = DataShape([
    .required("position", position), .optional("velocity", numbers("linear", "angular")),
    .optional("acceleration", numbers("linear", "angular")), .optional("orientation", numbers("roll", "pitch", "yaw")),
    .optional("sensors", numbers("battery", "temperature", "humidity")),
  ])
  private static let streaming = DataShape([
    .required("streaming", .boolean), .required("rate", .number), .optional("connected_clients", .number),
    .optional("last_update", .string),
  ])
  private static let started = DataShape([
    .required("mission_id", .string), .required("mission_type", .string), .optional("start_position", position),
    .optional("target_position", position), .optional("estimated_duration", .number),
  ])
  private static let progress = DataShape([
    .required("mission_id", .string), .required("progress", .number), .optional("current_position", position),
    .optional("remaining_distance", .number), .optional("estimated_completion", .string),
  ])
  private static let completed = DataShape([
    .required("mission_id", .string), .required("status", .string), .optional("completion_time", .number),
    .optional("final_position", position), .optional("summary", numbers("distance_traveled", "energy_consumed", "errors_encountered")),
  ])
  private static let updated = DataShape([
    .required("config_id", .string), .required("version", .string), .optional("updated_by", .string),
    .optional("changes", .object(DataShape())), .required("status", .string),
  ])
  private static let rollback = DataShape([
    .required("from_version", .string), .required("to_version", .string), .optional("reason", .string),
    .optional("rolled_back_by", .string), .required("status", .string),
  ])
  private static let discovered = DataShape([
    .required("module_id", .string), .optional("module_type", .string), .optional("address", .string),
    .optional("firmware_version", .string), .required("status", .string),
  ])
  private static let statusChange = DataShape([
    .required("module_id", .string), .optional("old_status", .string), .required("new_status", .string), .optional("error_code", .string),
    .optional("error_description", .string),
  ])

  private static let position = DataShape.Kind.object(
    DataShape([.required("x", .number), .required("y", .number), .optional("z", .number)]))

  private static func numbers(_ names: String...) -> DataShape.Kind { .object(DataShape(names.map { .optional($0, .number) })) }
}

/// The first segments of the document's event types. A type of one of these that the document does not list is a robot's own, and passes.
package enum OHT50Family: String, Hashable, Sendable, CaseIterable {
  case system, telemetry, mission, safety, config, module

  /// Nil for a type that has no second segment, too.
  package init?(_ type: EventType) {
    let segments = type.rawValue.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard segments.count == 2, !segments[1].isEmpty, let family = Self(rawValue: String(segments[0])) else { return nil }
    self = family
  }
}

/// The document's table "Rate Limiting".
package enum OHT50RateLimit {
  /// The shortest time between two events of one type to one client; nil for types that the table does not limit.
  package static func interval(of type: EventType) -> Duration? {
    switch OHT50EventType(type) {
    case .telemetryRealtime: return .milliseconds(100)
    case .systemStatus: return .seconds(1)
    default: break
    }
    return switch OHT50Family(type) {
    case .mission: .milliseconds(200)
    case .safety: .seconds(1)
    case .config: .seconds(10)
    case .system, .telemetry, .module, nil: nil
    }
  }
}
