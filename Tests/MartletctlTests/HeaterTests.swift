import Foundation
import MQTTClient
import Models
import Testing

@testable import Martletctl

@Suite struct `A simulated heater` {
  private static let now = Timestamp(microseconds: 1_771_072_500_000_000)

  private func heater(_ fault: HeaterFault? = nil, faultsPerHour: Double = 0) throws -> SimulatedHeater {
    SimulatedHeater(try ApplianceID("PickleHeat.Heater"), seed: 7, plan: fault, faultsPerHour: faultsPerHour)
  }

  /// What it says in so many steps.
  private func story(_ heater: inout SimulatedHeater, seconds: Int, step: Int = 60) -> [MQTTPublication] {
    stride(from: 0, to: seconds, by: step).flatMap { second in
      heater.advance(SimulatedStep(simulatedSeconds: Double(step), now: Self.now + .seconds(second)))
    }
  }

  private func frames(_ words: [MQTTPublication]) throws -> [ReefnetFrame] { try words.map { try ReefnetFrame(parsing: $0.payload) } }

  private func subsystem(_ frame: ReefnetFrame) throws -> JSONObject {
    try JSONObject(parsing: Array(try #require(frame.payload.elements("subsystems")?.first)))
  }

  private func alarms(_ frames: [ReefnetFrame]) throws -> [ReefnetAlarm] {
    try frames.filter { $0.kind == .alarm }.map { try ReefnetAlarm(payload: $0.payload) }
  }

  private func control(_ text: String) -> MQTTMessage { MQTTMessage(topic: "reefnet/PickleHeat.Heater/control", payload: Array(text.utf8)) }

  @Test func `its status has the members of the document's example, in its order`() throws {
    func shape(_ text: [UInt8]) throws -> [String] {
      guard let object = try? JSONObject(parsing: text) else { return [] }
      return try object.members.flatMap { member -> [String] in
        let inner = try object.elements(member.name)?.first.map { try shape(Array($0)) } ?? shape(Array(object.raw(member)))
        return [member.name] + inner.map { "\(member.name).\($0)" }
      }
    }
    var heater = try heater()
    let word = try #require(heater.powerOn(at: Self.now).first)
    let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/reefnet/status.json")
    let expected = try shape(Array(Data(contentsOf: fixture))).filter { !$0.hasPrefix("payload.subsystems.safety.alarms.") }
    #expect(try shape(word.payload) == expected)
    #expect(word.topic == "reefnet/PickleHeat.Heater/status" && !word.isRetained)
  }

  @Test func `it keeps its setpoint within the hysteresis, without an alarm`() throws {
    var heater = try heater()
    _ = story(&heater, seconds: 600)
    let frames = try frames(story(&heater, seconds: 3600, step: 7))
    #expect(frames.allSatisfy { $0.kind == .status } && frames.count == 515)
    let temperatures = try frames.compactMap { try #require($0.payload.object("environment")).number("temperature_c") }
    #expect(temperatures.allSatisfy { (24.8...25.2).contains($0) })
    #expect(Set(try frames.map { try subsystem($0).string("state") }) == ["heating", "idle"])
  }

  @Test(arguments: [
    (HeaterFault.probeDrift, ["thermistor_mismatch", "safety.probe_mismatch"], true), (.probeLost, ["safety.probe_single_failure"], false),
    (.probesLost, ["safety.probe_dual_failure"], true), (.runaway, ["safety.thermal_runaway"], true),
    (.weakHeater, ["safety.heater_overrun"], true), (.stuckRelay, ["safety.relay_stuck"], true),
  ])
  func `a fault raises its alarm, locks the heater where it must, and clears it when it is over`(
    fault: HeaterFault, codes: [String], locks: Bool
  ) throws {
    var heater = try heater(fault)
    let frames = try frames(story(&heater, seconds: 2 * 3600))
    let alarms = try alarms(frames)
    var raised: [String] = []
    for alarm in alarms where alarm.isActive && !raised.contains(alarm.code) { raised.append(alarm.code) }
    #expect(raised == codes)
    for code in codes {
      let life = alarms.filter { $0.code == code }
      #expect(life.indices.allSatisfy { life[$0].isActive == ($0 % 2 == 0) } && life.count % 2 == 0, "\(code)")
      let severity: ReefnetAlarm.Severity = code.hasPrefix("safety.") ? .critical : .warning
      #expect(life.allSatisfy { $0.severity == ($0.isActive ? severity : .info) && ($0.clearedAt == nil) == $0.isActive })
    }
    for (alarm, status) in zip(frames, frames.dropFirst()) where alarm.kind == .alarm && status.kind == .status {
      let told = try ReefnetAlarm(payload: alarm.payload)
      guard told.code == codes.last else { continue }
      let heater = try subsystem(status)
      #expect(heater.boolean("safety_lockout") == (told.isActive && locks))
      #expect(
        heater.string("visible_alarm") == (told.isActive ? told.code : "")
          && (heater.string("state") == "locked") == (told.isActive && locks))
      #expect(heater.object("safety")?.elements("alarms")?.count == (told.isActive ? 1 : 0))
    }
  }

  @Test func `without a plan something goes wrong now and then, the same with the same seed`() throws {
    func codes() throws -> [String] {
      var heater = try heater(faultsPerHour: 2)
      return try alarms(frames(story(&heater, seconds: 24 * 3600, step: 3600))).map(\.code)
    }
    #expect(try Set(codes()).count > 3)
    #expect(try codes() == codes())
  }

  @Test(arguments: [
    (
      #"{"type":"control","protocol":"reefnet.v1","payload":{"command":"set_param","parameters":{"setpoint_c":27,"probe_tolerance_c":0.9}}}"#,
      [27, 26.9, 27.1, 0.9]
    ),
    (#"{"type":"set_param","param":"heater_setpoint_c","value":20}"#, [20, 19.9, 20.1, 0.7]),
    (#"{"type":"set_param","parameters":{"setpoint_min_c":23,"setpoint_max_c":24,"unknown":1}}"#, [23.5, 23, 24, 0.7]),
    (#"{"type":"set_param","parameters":{"setpoint_min_c":26}}"#, [25, 24.9, 25.1, 0.7]),
    (#"{"type":"set_param","parameters":{"setpoint_c":30,"setpoint_max_c":20}}"#, [25, 24.9, 25.1, 0.7]),
    (#"{"type":"config_request"}"#, [25, 24.9, 25.1, 0.7]), (#"{"type":"module_manifest_request"}"#, [25, 24.9, 25.1, 0.7]),
    (#"{"type":"control","payload":{"command":"ping"}}"#, [25, 24.9, 25.1, 0.7]),
  ])
  func `a control is answered by a status that shows it, and what does not go together changes nothing`(text: String, expected: [Double])
    throws
  {
    var heater = try heater()
    let answer = heater.hear(control(text), at: Self.now)
    #expect(answer.count == 1)
    let setpoints = try #require(try subsystem(frames(answer)[0]).object("setpoints"))
    let values = ["setpoint_c", "setpoint_min_c", "setpoint_max_c", "probe_tolerance_c"].compactMap(setpoints.number)
    #expect(values == expected)
  }

  @Test(arguments: [
    "garbage", #"{"type":"control"}"#, #"{"type":"control","payload":{"command":"explode"}}"#, #"{"type":"ping"}"#,
    #"{"type":"control","protocol":"reefnet.v2","payload":{"command":"ping"}}"#,
    #"{"type":"control","expires_at":"2026-02-14T12:00:00Z","payload":{"command":"ping"}}"#,
  ])
  func `what it does not understand, or comes too late, has no answer`(text: String) throws {
    var heater = try heater()
    #expect(heater.hear(control(text), at: Self.now).isEmpty)
  }

  @Test func `a setpoint that is lowered is no runaway, and one that is raised is reached`() throws {
    var heater = try heater()
    _ = story(&heater, seconds: 300)
    _ = heater.hear(control(#"{"type":"set_param","param":"setpoint_c","value":23}"#), at: Self.now)
    #expect(try alarms(frames(story(&heater, seconds: 3600))).isEmpty)
    _ = heater.hear(control(#"{"type":"set_param","param":"setpoint_c","value":26}"#), at: Self.now)
    let frames = try frames(story(&heater, seconds: 1800))
    #expect(try alarms(frames).isEmpty)
    let last = try #require(frames.last)
    #expect(last.payload.object("environment")?.number("temperature_c") ?? 0 > 25.8)
  }

  @Test func `a dialect without a word for it has the last will say offline`() throws {
    let heater = try heater()
    #expect(heater.will.topic == "martlet/PickleHeat.Heater/events/appliance:status")
    #expect(heater.will.payload == Array(#"{"status":"offline"}"#.utf8))
    #expect(heater.subscriptions.map(\.filter) == ["reefnet/PickleHeat.Heater/control"])
  }
}
