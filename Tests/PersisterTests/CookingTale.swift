import EventLog
import Models
import Testing

@testable import Persister

/// Events of one appliance after another, as records of the log, from 2026-02-14T12:00:00Z on.
struct CookingTale {
  static let noon = Timestamp(microseconds: 1_771_070_400_000_000)

  private(set) var records: [LogRecord] = []
  private let appliance: ApplianceID

  init(_ appliance: String = "EPIC-001") throws { self.appliance = try ApplianceID(appliance) }

  /// - Parameters:
  ///   - seconds: the device's time, after noon.
  ///   - data: members of the event's data; `'` stands for a quotation mark.
  mutating func tell(_ type: String, at seconds: Int, _ data: String, isLate: Bool = false) throws {
    let event = Event(
      type: try EventType(type), applianceID: appliance, timestamp: Self.noon + .seconds(seconds),
      data: Array("{\(data)}".replacing("'", with: "\"").utf8))
    // The log takes in one event a second, in the order of this tale.
    let id = EventID(milliseconds: UInt64(Self.noon.microseconds / 1000) + UInt64(records.count) * 1000, sequence: 0)
    records.append(LogRecord(id: id, content: .event(event), isLate: isLate))
  }

  mutating func start(_ session: String, at seconds: Int, isLate: Bool = false) throws {
    let members = "'session_id':'\(session)','recipe_id':'r1','recipe_name':'Dal Tadka','total_stages':3,'estimated_time_minutes':35"
    try tell("cooking:started", at: seconds, members, isLate: isLate)
  }

  mutating func progress(_ session: String, at seconds: Int, stage: Int, _ name: String, isLate: Bool = false) throws {
    let members = "'session_id':'\(session)','current_stage':\(stage),'stage_name':'\(name)','total_stages':3,'temperature':\(seconds)"
    try tell("cooking:progress", at: seconds, members, isLate: isLate)
  }

  mutating func change(_ session: String, at seconds: Int, from: Int, _ name: String, lasting duration: Int, to next: String) throws {
    try tell(
      "cooking:stage_change", at: seconds,
      """
      'session_id':'\(session)','previous_stage':{'index':\(from),'name':'\(name)','duration_s':\(duration),'result':'success',
      'transition':'timer'},'next_stage':{'index':\(from + 1),'name':'\(next)','estimated_duration_s':60}
      """)
  }

  mutating func complete(_ session: String, at seconds: Int) throws {
    try tell("cooking:complete", at: seconds, "'session_id':'\(session)','recipe_name':'Dal Tadka','total_duration_s':1.50")
  }

  mutating func fail(_ session: String, at seconds: Int, _ code: String) throws {
    let members = "'session_id':'\(session)','error_code':'\(code)','message':'Oh','severity':'critical','action_taken':'e_stop'"
    try tell("cooking:error", at: seconds, members)
  }

  mutating func stop(at seconds: Int, _ command: String = "c1") throws {
    try tell("command:acknowledged", at: seconds, "'command_id':'\(command)','type':'cooking:stop'")
  }
}
