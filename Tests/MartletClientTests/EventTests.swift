import Foundation
import Models
import Testing

@testable import MartletClient

/// What comes from the wire, and what an app gets of it.
@Suite struct EventTests {
  private func parsed(_ text: String) -> ServerFrame? { ServerFrame(parsing: Array(text.utf8)) }

  private func event(_ text: String) throws -> MartletEvent {
    let frame = try #require(parsed(text))
    return MartletEvent(frame, of: try #require(frame.applianceID))
  }

  /// A message of a document.
  private func fixture(_ path: String) throws -> String {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try String(contentsOf: tests.appending(path: "Fixtures/\(path).json"), encoding: .utf8)
  }

  private func example(_ name: String) throws -> MartletEvent { try event(fixture("epicura/\(name)")) }

  /// As the bus carries another dialect's event: the document's `data`, or a whole frame in `data`.
  private func content(_ type: String, _ data: [UInt8]) -> MartletEvent.Content {
    (try? JSONObject(parsing: data)).map { MartletEvent.Content(type, $0) } ?? .other
  }

  private func robot(_ type: String) throws -> MartletEvent.Content {
    let frame = try JSONObject(parsing: Array(fixture("oht50/\(type)").utf8))
    return content(type, Array(try #require(frame.raw("data"))))
  }

  @Test func `The document's events come as types`() throws {
    guard case .cookingStarted(let started) = try example("cooking.started").content else { return #expect(Bool(false)) }
    #expect(started.recipeName == "Dal Tadka" && started.totalStages == 6 && started.estimatedTime_minutes == 35)
    guard case .cookingProgress(let progress) = try example("cooking.progress").content else { return #expect(Bool(false)) }
    #expect(progress.temperature == 148.5 && progress.targetTemperature == 150 && progress.isStirring == true)
    #expect(progress.timeRemaining_s == 185 && progress.vision?.className == "golden_brown")
    guard case .cookingStageChange(let change) = try example("cooking.stage_change").content else { return #expect(Bool(false)) }
    #expect(change.previous?.transition == "cv_detected" && change.next?.name == "Add Spices")
    guard case .cookingComplete(let complete) = try example("cooking.complete").content else { return #expect(Bool(false)) }
    #expect(complete.peakTemperature == 182.5 && complete.stagesCompleted == 6)
    guard case .cookingError(let error) = try example("cooking.error").content else { return #expect(Bool(false)) }
    #expect(error.code == "OVER_TEMPERATURE" && error.severity == "critical" && error.actionTaken == "e_stop")
    guard case .applianceStatus(let status) = try example("appliance.status").content else { return #expect(Bool(false)) }
    #expect(status.status == "online" && status.cm5Firmware == "1.2.0")
    guard case .applianceAlert(let alert) = try example("appliance.alert").content else { return #expect(Bool(false)) }
    #expect(alert.alertType == "firmware_update_available" && alert.priority == "low")
  }

  @Test func `A robot's events come as types`() throws {
    guard case .robotStatus(let status) = try robot("system.status") else { return #expect(Bool(false)) }
    #expect(status.health?.memory_percent == 67.8 && status.status != nil)
    guard case .robotTelemetry(let telemetry) = try robot("telemetry.realtime") else { return #expect(Bool(false)) }
    #expect(telemetry.position?.x == 1250.5 && telemetry.velocity?.linear == 0.8 && telemetry.sensors["battery"] == 85.2)
    guard case .robotMission(let mission) = try robot("mission.progress") else { return #expect(Bool(false)) }
    #expect(mission.missionID == "mission-123" && mission.progress_percent == 65.5 && mission.position?.x == 820.3)
    for type in ["safety.zone_entered", "safety.estop", "safety.clear"] {
      guard case .robotSafety(let safety) = try robot(type) else { return #expect(Bool(false)) }
      #expect(safety.kind.rawValue == type && safety.position != nil)
    }
    #expect(try robot("config.updated") == .other)
  }

  @Test func `A heater's and a lab's events, and alarms, come as types`() throws {
    guard case .heaterStatus(let status) = content("reefnet:status", Array(try fixture("reefnet/status").utf8)) else {
      return #expect(Bool(false))
    }
    let heater = try #require(status.subsystems.first)
    #expect(status.temperature == 25.4 && heater.state == "heating" && heater.isLockedOut == false)
    #expect(heater.setpoints["setpoint_c"] == 25 && heater.setpoints["thermistor_alarm"] == nil && !heater.sensors.isEmpty)
    let stuck = try fixture("reefnet/alarm.safety.relay_stuck")
    guard case .heaterAlarm(let alarm) = content("reefnet:alarm", Array(stuck.utf8)) else { return #expect(Bool(false)) }
    #expect(alarm.code == "safety.relay_stuck" && alarm.isActive == true)
    let raised = #"{"alarm_id":7,"source":"rule:hot","severity":"critical","raised_count":2,"metric":"temperature","value":260.5}"#
    guard case .alarm(let report) = content("alarm:raised", Array(raised.utf8)) else { return #expect(Bool(false)) }
    #expect(report.step == .raised && report.alarmID == 7 && report.raisedCount == 2 && report.value == 260.5)
    let batch = #"{"datapoints":[{"value":1.5,"event_public_id":"oven"},"none",{"value":null}]}"#
    guard case .datapoints(let points) = content("telemetry:datapoints", Array(batch.utf8)) else { return #expect(Bool(false)) }
    #expect(points.map(\.value) == [1.5, nil] && points.first?.eventPublicID == "oven")
  }

  @Test func `Members that are missing or of another kind are nil, and everything else is there`() throws {
    let odd = try event(
      #"{"type":"cooking:progress","appliance_id":"EPIC-001","timestamp":"soon","data":{"temperature":"hot","current_stage":2.5,"progress_pct":42}}"#
    )
    guard case .cookingProgress(let progress) = odd.content else { return #expect(Bool(false)) }
    #expect(progress.temperature == nil && progress.currentStage == nil && progress.progress_percent == 42)
    #expect(odd.timestamp == nil && odd.id == nil)
  }

  @Test func `An event of an unknown type has its data as it came`() throws {
    let data = #"{"<b>":"\u202e","n":12345678901234567890.5}"#
    let event = try event(#"{"type":"future:type","appliance_id":"A","timestamp":"1970-01-01T00:00:01.5Z","data":\#(data),"id":"7-1"}"#)
    #expect(event.content == .other && String(decoding: event.data, as: UTF8.self) == data)
    #expect(event.timestamp == Date(timeIntervalSince1970: 1.5) && event.id == "7-1")
  }

  @Test(arguments: [
    "", "null", "[]", "{\"type\":", #"{"type":7}"#, #"{"type":""}"#, #"{"type":"cooking:progress"}"#,
    #"{"type":"cooking:progress","appliance_id":7}"#, #"{"type":"cooking:progress","appliance_id":"a b"}"#,
    #"{"type":"cooking:progress","appliance_id":"A","data":[1]}"#, #"{"type":"cooking:progress","appliance_id":"A","id":"first"}"#,
    #"{"type":"connected","user_id":7}"#, "\u{0}",
  ])
  func `What is no message is none`(text: String) { #expect(parsed(text) == nil) }

  @Test func `Deep nesting is no message`() {
    #expect(parsed(#"{"type":"a","appliance_id":"A","data":"# + String(repeating: "[", count: 100_000)) == nil)
  }

  @Test func `Only what is newer within its type is new, and the greatest id goes on`() {
    func id(_ milliseconds: UInt64) -> EventID { EventID(milliseconds: milliseconds, sequence: 0) }
    var seen = SeenEvents(last: id(5))
    #expect(seen.time == "1970-01-01T00:00:00.005Z")
    let news = [seen.isNew("a", id(9)), seen.isNew("b", id(8)), seen.isNew("a", id(9)), seen.isNew("a", id(3)), seen.isNew("a", nil)]
    #expect(news == [true, true, false, false, true])
    #expect(seen.last == id(9))
    seen = SeenEvents()
    #expect(seen.time == nil)
    let many = (0..<(2 * SeenEvents.typeCountMax)).map { seen.isNew("type \($0)", id(UInt64($0))) }
    #expect(many.allSatisfy { $0 })
    // The oldest are forgotten, the others not.
    let again = [seen.isNew("type 0", id(0)), seen.isNew("type 511", id(511))]
    #expect(again == [true, false])
  }

  @Test func `Past the bound the oldest telemetry gives way, and a discrete event without room ends the sequence behind those that wait`()
    throws
  {
    var buffer = EventBuffer()
    func event(_ type: String, _ id: Int) throws -> MartletEvent {
      try self.event(#"{"type":"\#(type)","appliance_id":"A","data":{},"id":"\#(id)-0"}"#)
    }
    for id in 1...EventBuffer.countMax { buffer.append(try event(id <= 2 ? "cooking:progress" : "cooking:error", id)) }
    buffer.append(try event("cooking:error", 2000))
    buffer.append(try event("cooking:progress", 2001))
    #expect(buffer.isOpen)
    buffer.append(try event("cooking:error", 2002))
    #expect(buffer.isOpen)
    buffer.append(try event("cooking:error", 2003))
    #expect(!buffer.isOpen)
    var ids: [String?] = []
    while case .event(let next) = buffer.next() { ids.append(next.id) }
    #expect(ids.count == EventBuffer.countMax && ids.first == "3-0" && ids.suffix(2) == ["2000-0", "2002-0"])
    guard case .fellBehind(let error) = buffer.next() else { return #expect(Bool(false)) }
    #expect(error.seen == ["A": "2002-0"])
  }
}
