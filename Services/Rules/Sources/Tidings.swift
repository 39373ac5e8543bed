import EventLog
import Models
import RuleEvaluation
import Store

/// What a run of records gives webhooks to tell, and what is to be remembered of that. Pure.
struct Tidings: Sendable {
  /// A sensor is told of once in so long, by the log's time.
  static let readingInterval = Duration.seconds(5)

  /// As it is stored.
  private let stored: WebhookMemory
  private let interest: WebhookInterest
  /// What is other than in `stored`.
  private(set) var changes = WebhookMemory()
  private(set) var rows: WebhookRows

  init(_ stored: WebhookMemory = WebhookMemory(), _ interest: WebhookInterest = .none) {
    (self.stored, self.interest, rows) = (stored, interest, WebhookRows(interest))
  }

  var isEmpty: Bool { changes.isEmpty && rows.count == 0 }

  /// - Parameter clock: how far time has come, by the log.
  mutating func take(_ event: Event, _ record: LogRecord, at clock: Timestamp) {
    switch event.type {
    case .alarmRaised: tell(.alarmRaised, event, by: "alarm_id", record)
    case .alarmAcknowledged: tell(.alarmAcknowledged, event, by: "alarm_id", record)
    case .alarmCleared: tell(.alarmCleared, event, by: "alarm_id", record)
    case .commandFailed: tell(.commandFailed, event, by: "command_id", record)
    case let type where type.rawValue == "cooking:complete": tell(.sessionCompleted, event, by: "session_id", record)
    case .applianceStatus: if !record.isLate { notePresence(event, record) }
    default: if !record.isLate, !event.type.isReserved { tellReadings(event, record, at: clock) }
    }
  }

  /// Those of rules that want webhooks to be told.
  ///
  /// - Parameter position: where the cursor will be. One rule can fire twice in a millisecond, but not at one place of one transaction.
  mutating func add(_ firings: [Firing], of rules: [String: Rule], at position: EventID) {
    for (number, firing) in firings.enumerated() {
      guard let rule = rules[firing.ruleID], rule.actions.webhook else { continue }
      rows.append(
        .ruleTriggered, of: firing.applianceID, data: firing.message(rule).data, at: firing.at,
        key: "\(firing.ruleID) \(firing.applianceID) \(firing.metric) \(firing.at.microseconds) \(position) \(number)")
    }
  }

  /// Tells an event's own data. What is told twice of one alarm, command or session has one key, so it is one message; but a device may use a
  /// session's name again.
  private mutating func tell(_ type: WebhookEventType, _ event: Event, by member: String, _ record: LogRecord) {
    guard interest.contains(type, of: event.applianceID) else { return }
    let name = (try? JSONObject(parsing: event.data))?.raw(member).map { String(decoding: $0, as: UTF8.self) }
    let moment = type == .sessionCompleted ? " \(event.timestamp.microseconds)" : ""
    let key = name.map { "\(event.applianceID) \($0)" + moment } ?? "\(event.applianceID) event \(record.id)"
    rows.append(type, of: event.applianceID, data: Self.data(event), at: event.timestamp, key: key)
  }

  /// Without a member of its own that says which appliance it is: that is ours to say.
  private static func data(_ event: Event) -> [UInt8] {
    guard let object = try? JSONObject(parsing: event.data), object.contains("appliance_id") else { return event.data }
    var text = Array("{".utf8)
    for member in object.members where member.name != "appliance_id" {
      if text.count > 1 { text.append(UInt8(ascii: ",")) }
      text += object.text(of: member)
    }
    return text + [UInt8(ascii: "}")]
  }

  private mutating func notePresence(_ event: Event, _ record: LogRecord) {
    guard let status = (try? JSONObject(parsing: event.data))?.string("status") else { return }
    let (id, isOnline) = (event.applianceID, status != "offline")
    guard changes.isOnline[id] ?? stored.isOnline[id] != isOnline else { return }
    changes.isOnline[id] = isOnline
    rows.append(
      isOnline ? .applianceOnline : .applianceOffline, of: id, data: Self.data(event), at: event.timestamp, key: "\(id) \(record.id)")
  }

  private mutating func tellReadings(_ event: Event, _ record: LogRecord, at clock: Timestamp) {
    guard interest.contains(.sensorReading, of: event.applianceID) else { return }
    for reading in event.readings() {
      let sensor = WebhookSensor(reading.applianceID, reading.metric)
      if let last = changes.toldAt[sensor] ?? stored.toldAt[sensor], clock - last < Self.readingInterval { continue }
      changes.toldAt[sensor] = clock
      var data: [UInt8] = []
      data.append("{\"metric\":")
      data.append(json: reading.metric)
      data.append(",\"value\":")
      data += "\(reading.value)".utf8
      data.append(UInt8(ascii: "}"))
      rows.append(
        .sensorReading, of: reading.applianceID, data: data, at: reading.timestamp,
        key: "\(reading.applianceID) \(reading.metric) \(record.id)")
    }
  }
}
