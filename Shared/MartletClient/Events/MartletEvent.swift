public import Foundation
internal import Models

/// What happened at one appliance.
///
/// ``content`` has what the documents of the dialects list most, as types; of every event ``data`` has all.
///
/// ```swift
/// switch event.content {
/// case .cookingProgress(let progress): draw(progress.temperature, against: progress.targetTemperature)
/// case .cookingError(let error): warn(error.message)
/// default: break
/// }
/// ```
public struct MartletEvent: Hashable, Sendable {
  /// What an event tells. Each member of it is the device's word and may be missing, or of another kind than was agreed: then it is nil.
  public enum Content: Hashable, Sendable {
    /// The appliance is followed from here on, for the first time or again after a lost connection.
    case subscribed(Subscribed)
    /// The appliance is none of the user's, or not any more: it is not followed, and nothing further comes of it.
    case lost(Lost)
    case cookingStarted(CookingStarted)
    case cookingProgress(CookingProgress)
    case cookingStageChange(CookingStageChange)
    case cookingComplete(CookingComplete)
    case cookingError(CookingError)
    case applianceStatus(ApplianceStatus)
    case applianceAlert(ApplianceAlert)
    /// What becomes of a command, anybody's.
    case command(CommandReport)
    /// The life of an alarm.
    case alarm(AlarmReport)
    case ruleTriggered(RuleTriggered)
    /// What a lab controller measured.
    case datapoints([LabDatapoint])
    case heaterStatus(HeaterStatus)
    case heaterAlarm(HeaterAlarm)
    case robotStatus(RobotStatus)
    case robotTelemetry(RobotTelemetry)
    case robotMission(RobotMission)
    case robotSafety(RobotSafety)
    /// Any other dialect's, and any that this client does not know yet: see ``MartletEvent/data``.
    case other
  }

  /// As the dialect names it, such as `cooking:progress`.
  public let type: String
  public let applianceID: String
  /// The device's own time, if it told one; nothing is ordered by it.
  public let timestamp: Date?
  /// The JSON object that came, as its text.
  public let data: Data
  public let content: Content
  let logID: EventID?

  /// Its place in the log, `milliseconds-sequence`. What was never in the log has none, such as a refusal told to its sender alone.
  public var id: String? { logID?.description }

  /// Whether a newer one of the same type makes it worthless.
  var isTelemetry: Bool { (try? EventType(type))?.isTelemetry ?? false }

  init(_ frame: ServerFrame, of applianceID: ApplianceID) {
    self.init(
      type: frame.type, of: applianceID, at: frame.timestamp, id: frame.id, data: frame.data.bytes,
      content: Content(frame.type, frame.data))
  }

  /// The appliance is lost.
  static func lost(_ applianceID: String, code: String, message: String) -> Self {
    Self(
      type: "error", of: applianceID, data: Array(json: ["code": code, "message": message]),
      content: .lost(Lost(code: code, message: message)))
  }

  private init(type: String, of applianceID: ApplianceID, at time: Timestamp?, id: EventID?, data: [UInt8], content: Content) {
    self.type = type
    self.applianceID = applianceID.rawValue
    timestamp = time.map { Date(timeIntervalSince1970: Double($0.microseconds) / 1_000_000) }
    logID = id
    self.data = Data(data)
    self.content = content
  }

  private init(type: String, of applianceID: String, data: [UInt8], content: Content) {
    (self.type, self.applianceID, self.content, self.data) = (type, applianceID, content, Data(data))
    (timestamp, logID) = (nil, nil)
  }
}

extension MartletEvent.Content {
  init(_ type: String, _ data: JSONObject) {
    switch type {
    case "subscribed": self = .subscribed(Subscribed(data))
    case "cooking:started": self = .cookingStarted(CookingStarted(data))
    case "cooking:progress": self = .cookingProgress(CookingProgress(data))
    case "cooking:stage_change": self = .cookingStageChange(CookingStageChange(data))
    case "cooking:complete": self = .cookingComplete(CookingComplete(data))
    case "cooking:error": self = .cookingError(CookingError(data))
    case "appliance:status": self = .applianceStatus(ApplianceStatus(data))
    case "appliance:alert": self = .applianceAlert(ApplianceAlert(data))
    case "command:requested": self = .command(CommandReport(.requested, data))
    case "command:sent": self = .command(CommandReport(.sent, data))
    case "command:acknowledged": self = .command(CommandReport(.acknowledged, data))
    case "command:failed": self = .command(CommandReport(nil, data))
    case "alarm:raised": self = .alarm(AlarmReport(.raised, data))
    case "alarm:updated": self = .alarm(AlarmReport(.updated, data))
    case "alarm:acknowledged": self = .alarm(AlarmReport(.acknowledged, data))
    case "alarm:cleared": self = .alarm(AlarmReport(.cleared, data))
    case "rule:triggered": self = .ruleTriggered(RuleTriggered(data))
    case "telemetry:datapoints": self = .datapoints(data.objects("datapoints").map(LabDatapoint.init))
    case "reefnet:status": self = .heaterStatus(HeaterStatus(data))
    case "reefnet:alarm": self = .heaterAlarm(HeaterAlarm(data))
    default: self = Self.robot(type, data) ?? .other
    }
  }

  private static func robot(_ type: String, _ data: JSONObject) -> Self? {
    switch type {
    case "system.status": .robotStatus(RobotStatus(data))
    case "telemetry.realtime": .robotTelemetry(RobotTelemetry(data))
    case "mission.started": .robotMission(RobotMission(.started, data))
    case "mission.progress": .robotMission(RobotMission(.progress, data))
    case "mission.completed": .robotMission(RobotMission(.completed, data))
    default: RobotSafety.Kind(rawValue: type).map { .robotSafety(RobotSafety($0, data)) }
    }
  }
}
