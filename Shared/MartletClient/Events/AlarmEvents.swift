internal import Models

/// The life of an alarm that a rule or a device raised.
public struct AlarmReport: Hashable, Sendable {
  public enum Step: String, Hashable, Sendable { case raised, updated, acknowledged, cleared }

  public let step: Step
  public let alarmID: Int?
  /// `rule:<id>`, or `code:<the device's code>`.
  public let source: String?
  public let name: String?
  /// `info`, `warning`, `critical`.
  public let severity: String?
  public let raisedCount: Int?
  /// What it is about, where that is a number.
  public let metric: String?
  public let value: Double?
  public let acknowledgedBy: String?

  init(_ step: Step, _ data: JSONObject) {
    self.step = step
    alarmID = data.integer("alarm_id")
    source = data.string("source")
    name = data.string("name")
    severity = data.string("severity")
    raisedCount = data.integer("raised_count")
    metric = data.string("metric")
    value = data.number("value")
    acknowledgedBy = data.string("acknowledged_by")
  }
}

/// A rule's condition came true.
public struct RuleTriggered: Hashable, Sendable {
  public let ruleID: String?
  public let name: String?
  /// `info`, `warning`, `critical`.
  public let severity: String?
  public let metric: String?
  public let value: Double?

  init(_ data: JSONObject) {
    ruleID = data.string("rule_id")
    name = data.string("name")
    severity = data.string("severity")
    metric = data.string("metric")
    value = data.number("value")
  }
}
