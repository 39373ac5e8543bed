import Foundation
import Models
import Testing

@Suite struct `What heater modules say` {
  private static let fixture = GoldenFixture("reefnet")
  private static let statuses = fixture.names("status")
  private static let alarms = fixture.names("alarm.")
  private static let receivedAt = Timestamp(microseconds: 1_800_000_000_000_000)

  private func frame(_ name: String) throws -> ReefnetFrame { try ReefnetFrame(parsing: Self.fixture.text(name)) }

  @Test(arguments: statuses + alarms)
  func `Every example of the document goes through the bus unchanged`(name: String) throws {
    let text = try Self.fixture.text(name)
    let event = try ReefnetFrame(parsing: text).event(receivedAt: Self.receivedAt)
    #expect(event.type.rawValue == "reefnet:" + name.prefix { $0 != "." })
    #expect(event.applianceID.rawValue == "PickleHeat.Heater" && event.timestamp.iso8601 == "2026-02-27T21:15:10Z")
    #expect(
      String(decoding: event.data, as: UTF8.self) == String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
    #expect(try Event(parsing: event.encoded()) == event)
  }

  @Test func `There are the examples that the document has`() {
    #expect(Self.statuses == ["status", "status.no_network"])
    #expect(Self.alarms.count == 9)
  }

  @Test func `A status's numbers are readings under the names that its sensors have`() throws {
    let readings = try frame("status").event(receivedAt: Self.receivedAt).readings()
    let values = Dictionary(uniqueKeysWithValues: readings.map { ($0.metric, $0.value) })
    let some = [
      "uptime_s": 12345, "environment.temperature_c": 25.4, "network.rssi_dbm": -62, "subsystems.heater.setpoints.setpoint_c": 25,
      "subsystems.heater.sensors.Primary": 25.2, "subsystems.heater.sensors.Duty Cycle": 32.5, "subsystems.heater.sensors.Activations": 42,
      "subsystems.heater.safety.probe_timeout_s": 45,
    ]
    for (metric, value) in some { #expect(values[metric] == value, "\(metric)") }
    #expect(values.count == 3 + 7 + 5 + 6)
  }

  @Test func `A probe that is offline has no reading`() throws {
    let text = try String(decoding: Self.fixture.text("status"), as: UTF8.self).replacing(#""value": 25.2"#, with: #""value": null"#)
    let metrics = try ReefnetFrame(parsing: Array(text.utf8)).event(receivedAt: Self.receivedAt).readings().map(\.metric)
    #expect(!metrics.contains("subsystems.heater.sensors.Primary") && metrics.contains("subsystems.heater.sensors.Secondary"))
  }

  @Test func `An alarm is raised and cleared under its code`() throws {
    func alarm(_ name: String) throws -> ReefnetAlarm { try #require(ReefnetAlarm(frame(name).event(receivedAt: Self.receivedAt))) }
    let raised = try alarm("alarm.safety.thermal_runaway")
    #expect(raised.code == "safety.thermal_runaway" && raised.isActive && raised.severity == .critical && raised.category == "safety")
    #expect(raised.message == "Thermal runaway" && raised.detail == "Optional detail text" && raised.clearedAt == nil)
    #expect(raised.triggeredAt?.iso8601 == "2026-02-27T21:02:00Z")
    #expect(try JSONObject(parsing: raised.meta).number("avg_temp_c") == 25.4)
    let cleared = try alarm("alarm.thermistor_mismatch.cleared")
    #expect(cleared.code == "thermistor_mismatch" && !cleared.isActive && cleared.severity == .info && cleared.category == nil)
    #expect(cleared.clearedAt?.iso8601 == "2026-02-27T21:05:10Z")
    #expect(try ReefnetAlarm(frame("status").event(receivedAt: Self.receivedAt)) == nil)
  }

  @Test(arguments: [
    #"{"code":"safety.new","active":true}"#,
    #"{"code":"safety.new","active":true,"severity":"fatal","detail":null,"triggered_at":"","meta":null}"#,
  ])
  func `An alarm is not dropped for what is beside its code`(payload: String) throws {
    let alarm = try ReefnetAlarm(payload: JSONObject(parsing: Array(payload.utf8)))
    #expect(alarm.code == "safety.new" && alarm.isActive && alarm.severity == .warning && alarm.message == "safety.new")
    #expect(alarm.triggeredAt == nil && alarm.meta == Array("{}".utf8))
  }

  @Test func `A module that does not know the time is dated by the receipt`() throws {
    let text = try String(decoding: Self.fixture.text("status"), as: UTF8.self).replacing("2026-02-27T21:15:10Z", with: "")
    #expect(try ReefnetFrame(parsing: Array(text.utf8)).event(receivedAt: Self.receivedAt).timestamp == Self.receivedAt)
  }

  @Test(arguments: [
    ("{nonsense", ReefnetRefusal.malformed(.malformed(.unexpected(offset: 1)))), ("[]", .malformed(.malformed(.notAnObject))),
    (#"{"protocol":"reefnet.v2","type":"status"}"#, .foreignProtocol("reefnet.v2")),
    (#"{"protocol":1,"type":"status"}"#, .malformed(.wrongType(path: "protocol", wanted: "a string"))),
    (#"{"protocol":"reefnet.v1"}"#, .malformed(.missing("type"))), (#"{"type":"status"}"#, .malformed(.missing("protocol"))),
    (#"{"protocol":"reefnet.v1","type":"dance"}"#, .unknownType("dance")),
    (#"{"protocol":"reefnet.v1","type":"alarm","payload":{}}"#, .malformed(.missing("module_id"))),
    (
      #"{"protocol":"reefnet.v1","type":"alarm","module_id":"a b","payload":{"code":"c","active":true}}"#,
      .malformed(.invalidApplianceID("a b"))
    ),
    (#"{"protocol":"reefnet.v1","type":"alarm","module_id":"A"}"#, .malformed(.missing("payload"))),
    (#"{"protocol":"reefnet.v1","type":"alarm","module_id":"A","payload":{"active":true}}"#, .malformed(.missing("payload.code"))),
    (
      #"{"protocol":"reefnet.v1","type":"alarm","module_id":"A","payload":{"code":"c","active":"yes"}}"#,
      .malformed(.wrongType(path: "payload.active", wanted: "true or false"))
    ),
    (
      #"{"protocol":"reefnet.v1","type":"status","module_id":"A","payload":{"subsystems":[{"key":"heater","state":"idle","sensors":[{"label":7}]}]}}"#,
      .malformed(.wrongType(path: "payload.subsystems.0.sensors.0.label", wanted: "a string"))
    ),
    (
      #"{"protocol":"reefnet.v1","type":"status","module_id":"A","payload":{"subsystems":[{"key":"heater","state":"idle","setpoints":{"setpoint_c":"25"}}]}}"#,
      .malformed(.wrongType(path: "payload.subsystems.0.setpoints.setpoint_c", wanted: "a number"))
    ),
  ])
  func `What is no frame is refused by the member's path`(text: String, refusal: ReefnetRefusal) {
    #expect(throws: refusal) { try ReefnetFrame(parsing: Array(text.utf8)) }
  }

  @Test(arguments: [
    "reefnet/A", "reefnet/A/", "reefnet//status", "reefnet/A/state", "reefnet/A B/status", "reefnet/A/status/", "other/A/status",
  ])
  func `A topic that the dialect does not have is none`(topic: String) { #expect(ReefnetTopic(topic) == nil) }

  @Test func `Modules have a topic for each kind of frame, and one where they hear`() throws {
    let module = try ApplianceID("PickleHeat.Heater")
    for kind in ReefnetFrame.Kind.allCases {
      let topic = try #require(ReefnetTopic(ReefnetTopic.topic(of: kind, module: module)))
      #expect(topic.kind == kind && topic.moduleID == module)
    }
    #expect(ReefnetTopic("reefnet/PickleHeat.Heater/control")?.kind == nil)
  }
}

@Suite struct `What UIs tell heater modules` {
  private static let fixture = GoldenFixture("reefnet")

  private func control(_ text: String) throws -> ReefnetControl { try ReefnetControl(parsing: Array(text.utf8)) }

  @Test(arguments: [
    ("control.set_param", [ReefnetParameter.setpoint: 25, .setpointMin: 24.9, .setpointMax: 25.1, .probeTolerance: 0.7]),
    ("control.set_param.legacy_pair", [.setpoint: 25]), ("control.set_param.aliases", [.setpoint: 25, .probeTolerance: 0.7]),
    ("set_param", [.setpoint: 25]),
  ])
  func `Parameters are understood in every form of the document`(name: String, changes: [ReefnetParameter: Double]) throws {
    let control = try ReefnetControl(parsing: Self.fixture.text(name))
    #expect(control.command == .setParam && control.changes == changes && control.moduleID == nil)
    #expect(control.unknownParameters == (name.hasSuffix("aliases") ? ["fan_speed"] : []))
  }

  @Test(arguments: fixture.names("control.", "config_request", "module_manifest_request", "set_param"))
  func `Every example of the document is understood`(name: String) throws {
    let command = try ReefnetControl(parsing: Self.fixture.text(name)).command.rawValue
    #expect(name.split(separator: ".").contains { $0 == command })
  }

  @Test func `A frame may say for whom it is, and a map of parameters goes before the pair`() throws {
    let text =
      #"{"type":"control","module_id":"M","submodule_id":"M.1","payload":{"command":"set_param","parameters":{},"param":"setpoint_c"}}"#
    let control = try control(text)
    #expect(control.moduleID?.rawValue == "M" && control.submoduleID == "M.1" && control.changes.isEmpty)
  }

  @Test func `Of a parameter's two names the later counts, and an unknown one may be anything`() throws {
    let text = #"{"type":"set_param","parameters":{"heater_setpoint_c":24,"setpoint_c":26.5,"note":"x"}}"#
    #expect(try control(text).changes == [.setpoint: 26.5] && control(text).unknownParameters == ["note"])
  }

  @Test(arguments: [
    ("{nonsense", ReefnetRefusal.malformed(.malformed(.unexpected(offset: 1)))), ("{}", .malformed(.missing("type"))),
    (#"{"type":"control","protocol":"reefnet.v9","payload":{"command":"ping"}}"#, .foreignProtocol("reefnet.v9")),
    (#"{"type":"control"}"#, .noCommand("'payload' is missing or no object")),
    (#"{"type":"control","payload":[]}"#, .noCommand("'payload' is missing or no object")),
    (#"{"type":"control","payload":{}}"#, .noCommand("'payload.command' is missing or no string")),
    (#"{"type":"control","payload":{"command":"explode"}}"#, .noCommand("the command 'explode' is unknown")),
    (#"{"type":"ping"}"#, .unknownType("ping")), (#"{"type":"status_request"}"#, .unknownType("status_request")),
    (#"{"type":"status"}"#, .unknownType("status")),
    (#"{"type":"config_request","module_id":"a b"}"#, .malformed(.invalidApplianceID("a b"))),
    (#"{"type":"config_request","module_id":7}"#, .malformed(.wrongType(path: "module_id", wanted: "a string"))),
    (#"{"type":"set_param"}"#, .malformed(.missing("parameters"))),
    (#"{"type":"set_param","param":"setpoint_c"}"#, .malformed(.missing("value"))),
    (#"{"type":"set_param","param":5,"value":1}"#, .malformed(.wrongType(path: "param", wanted: "a string"))),
    (#"{"type":"set_param","param":"setpoint_c","value":"25"}"#, .malformed(.wrongType(path: "value", wanted: "a number"))),
    (#"{"type":"set_param","param":"setpoint_c","value":1e999}"#, .malformed(.wrongType(path: "value", wanted: "a number"))),
    (
      #"{"type":"control","payload":{"command":"set_param","parameters":{"setpoint_c":null}}}"#,
      .malformed(.wrongType(path: "payload.parameters.setpoint_c", wanted: "a number"))
    ),
    (
      #"{"type":"control","payload":{"command":"set_param","parameters":[]}}"#,
      .malformed(.wrongType(path: "payload.parameters", wanted: "an object"))
    ),
  ])
  func `What is no control is refused`(text: String, refusal: ReefnetRefusal) {
    #expect(throws: refusal) { try control(text) }
  }
}

@Suite struct `What heater modules are told, and how they show that they did it` {
  private static let fixture = GoldenFixture("reefnet")
  private static let moment = Timestamp(microseconds: 1_771_072_200_000_000)

  private func command(_ name: ReefnetCommand, _ data: [UInt8]) throws -> Command {
    Command(
      id: "c-1", applianceID: try ApplianceID("M"), type: name.type, issuedAt: Self.moment, expiresAt: Self.moment + .seconds(10),
      data: data)
  }

  @Test(arguments: fixture.names("control."))
  func `A control of the document reaches its module as it was, with the envelope whole`(name: String) throws {
    let text = try Self.fixture.text(name)
    let command = try command(ReefnetControl(parsing: text).command, text)
    var meaning = try GoldenFixture.meaning(text)
    for (member, value) in [
      ("module_id", "M"), ("submodule_id", "M"), ("sent_at", "2026-02-14T12:30:00Z"), ("command_id", "c-1"),
      ("expires_at", "2026-02-14T12:30:10Z"),
    ] { meaning[member] = value as NSString }
    #expect(try GoldenFixture.meaning(command.encoded()) == meaning)
    #expect(command.topic == "reefnet/M/control")
  }

  @Test(arguments: [
    (
      #"{"type":"set_param","param":"setpoint_c","value":25.0}"#,
      #""M","type":"control","sent_at":"2026-02-14T12:30:00Z","payload":{"command":"set_param","param":"setpoint_c","value":25.0},"#
    ),
    (
      #"{"parameters":{ "a":1.10 }}"#,
      #""M","type":"control","sent_at":"2026-02-14T12:30:00Z","payload":{"command":"set_param","parameters":{ "a":1.10 }},"#
    ),
    (
      #"{"type":"control","submodule_id":"M.1","module_id":"X","request_id":"r","payload":{"parameters":{}, "x":[1]},"trace":7}"#,
      #""M.1","type":"control","sent_at":"2026-02-14T12:30:00Z","payload":{"command":"set_param","parameters":{},"x":[1]},"trace":7,"#
    ),
  ])
  func `Legacy forms become a control, and what is unknown is carried on in its place`(data: String, told: String) throws {
    let text = String(decoding: try command(.setParam, Array(data.utf8)).encoded(), as: UTF8.self)
    #expect(
      text == #"{"protocol":"reefnet.v1","module_id":"M","submodule_id":"# + told
        + #""command_id":"c-1","expires_at":"2026-02-14T12:30:10Z"}"#)
    #expect(try ReefnetControl(parsing: Array(text.utf8)).command == .setParam)
  }

  @Test(arguments: [
    (#"{"parameters":{"setpoint_c":25}}"#, true), (#"{"parameters":{"heater_setpoint_c":25.004,"probe_tolerance_c":0.7}}"#, true),
    (#"{"parameters":{"setpoint_c":25.01}}"#, false), (#"{"parameters":{"setpoint_c":25,"probe_tolerance_c":0.71}}"#, false),
    (#"{"parameters":{"unknown":5}}"#, false), (#"{"parameters":{"setpoint_c":25,"unknown":5}}"#, true), (#"{"parameters":{}}"#, false),
    (#"{"parameters":{"setpoint_c":25},"submodule_id":"PickleHeat.Heater"}"#, true),
    (#"{"parameters":{"setpoint_c":25},"submodule_id":"Another"}"#, true),
  ])
  func `A status shows a set_param by its setpoints`(data: String, isShown: Bool) throws {
    let control = try ReefnetControl(.setParam, data: JSONObject(parsing: Array(data.utf8)))
    #expect(try ReefnetStatus.shows(control, in: ReefnetFrame(parsing: Self.fixture.text("status")).payload) == isShown)
  }

  @Test func `Setpoints of one subsystem do not show what was wanted of another`() throws {
    let payload =
      #"{"subsystems":[{"submodule_id":"a","setpoints":{"setpoint_c":25}},{"submodule_id":"b","setpoints":{"setpoint_c":20}},{"key":"x"}]}"#
    func shows(_ submodule: String) throws -> Bool {
      let control = try ReefnetControl(
        .setParam, data: JSONObject(parsing: Array(#"{"parameters":{"setpoint_c":25},"submodule_id":"\#(submodule)"}"#.utf8)))
      return try ReefnetStatus.shows(control, in: JSONObject(parsing: Array(payload.utf8)))
    }
    #expect(try shows("a") && !shows("b"))
  }
}
