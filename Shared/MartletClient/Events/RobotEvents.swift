internal import Models

/// A place, by the robot's own measure (the OHT-50 document, as all in this file).
public struct RobotPosition: Hashable, Sendable {
  public let x: Double?
  public let y: Double?
  public let z: Double?

  init(_ data: JSONObject) { (x, y, z) = (data.number("x"), data.number("y"), data.number("z")) }
}

/// How a robot is.
public struct RobotStatus: Hashable, Sendable {
  /// Shares in percent, and °C.
  public struct Health: Hashable, Sendable {
    public let cpu_percent: Double?
    public let memory_percent: Double?
    public let disk_percent: Double?
    public let temperature: Double?

    init(_ data: JSONObject) {
      cpu_percent = data.number("cpu")
      memory_percent = data.number("memory")
      disk_percent = data.number("disk")
      temperature = data.number("temperature")
    }
  }

  /// `idle`, `moving`, `docking`, `fault`, `estop`.
  public let status: String?
  /// `ready`, `busy`, `error`, `maintenance`.
  public let state: String?
  public let uptime_s: Double?
  public let version: String?
  public let health: Health?

  init(_ data: JSONObject) {
    status = data.string("status")
    state = data.string("state")
    uptime_s = data.number("uptime")
    version = data.string("version")
    health = data.object("health").map(Health.init)
  }
}

/// Where a robot is and how it moves.
public struct RobotTelemetry: Hashable, Sendable {
  /// Along its way and about its axis.
  public struct Motion: Hashable, Sendable {
    public let linear: Double?
    public let angular: Double?

    init(_ data: JSONObject) { (linear, angular) = (data.number("linear"), data.number("angular")) }
  }

  public let position: RobotPosition?
  public let velocity: Motion?
  public let acceleration: Motion?
  /// By name, such as `battery`; those that are no numbers are left out.
  public let sensors: [String: Double]

  init(_ data: JSONObject) {
    position = data.object("position").map(RobotPosition.init)
    velocity = data.object("velocity").map(Motion.init)
    acceleration = data.object("acceleration").map(Motion.init)
    sensors = data.object("sensors")?.numbers ?? [:]
  }
}

/// A mission, at its beginning, under way, or over: what is not told of at that point is nil.
public struct RobotMission: Hashable, Sendable {
  public enum Step: String, Hashable, Sendable { case started, progress, completed }

  public let step: Step
  public let missionID: String?
  /// `transport`, `inspection`, `maintenance`; when it starts.
  public let missionType: String?
  public let start: RobotPosition?
  public let target: RobotPosition?
  public let progress_percent: Double?
  public let position: RobotPosition?
  public let remainingDistance: Double?
  /// `success`, `failed`, `cancelled`; when it is over.
  public let status: String?

  init(_ step: Step, _ data: JSONObject) {
    self.step = step
    missionID = data.string("mission_id")
    missionType = data.string("mission_type")
    start = data.object("start_position").map(RobotPosition.init)
    target = data.object("target_position").map(RobotPosition.init)
    progress_percent = data.number("progress")
    position = (data.object("current_position") ?? data.object("final_position")).map(RobotPosition.init)
    remainingDistance = data.number("remaining_distance")
    status = data.string("status")
  }
}

/// What concerns people's safety.
public struct RobotSafety: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable {
    case zoneEntered = "safety.zone_entered"
    case emergencyStop = "safety.estop"
    case clear = "safety.clear"
  }

  public let kind: Kind
  public let position: RobotPosition?
  public let zoneID: String?
  /// `restricted`, `warning`, `safe`.
  public let zoneType: String?
  /// What it does about the zone: `slow_down`, `stop`, `alert`.
  public let action: String?
  /// Of an emergency stop: `hardware`, `software`, `remote`.
  public let trigger: String?
  /// `critical` or `warning`.
  public let level: String?
  /// Who or what cleared it, and what comes then.
  public let clearedBy: String?
  public let nextAction: String?

  init(_ kind: Kind, _ data: JSONObject) {
    self.kind = kind
    position = data.object("position").map(RobotPosition.init)
    zoneID = data.string("zone_id")
    zoneType = data.string("zone_type")
    action = data.string("action")
    trigger = data.string("trigger_type")
    level = data.string("emergency_level")
    clearedBy = data.string("cleared_by")
    nextAction = data.string("next_action")
  }
}
