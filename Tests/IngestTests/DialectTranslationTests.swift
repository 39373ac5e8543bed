import EventLog
import Foundation
import MQTTClient
import Models
import Testing

@testable import Ingest

@Suite("Heaters and robots on MQTT")
struct DialectTranslationTests {
  private static let now = TranslationTests.receivedAt

  static func fixture(_ name: String) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")
    return try String(contentsOf: folder.appending(path: "\(name).json"), encoding: .utf8)
  }

  private func event(_ topic: String, _ payload: String) throws -> Event {
    guard case .event(let event, _) = TranslationTests.translate(topic, payload) else {
      throw ModelError.missing("\(TranslationTests.translate(topic, payload))")
    }
    return event
  }

  private func rejection(_ topic: String, _ payload: String) -> Rejection? {
    if case .deadLetter(let rejection) = TranslationTests.translate(topic, payload) { rejection } else { nil }
  }

  @Test(arguments: ["status", "status.no_network", "alarm.safety.relay_stuck", "alarm.thermistor_mismatch.cleared"])
  func `a module's frame is carried whole`(name: String) throws {
    let kind = String(name.prefix { $0 != "." })
    let text = try Self.fixture("reefnet/\(name)")
    let event = try event("reefnet/PickleHeat.Heater/\(kind)", text)
    #expect(event.type.rawValue == "reefnet:\(kind)" && event.applianceID.rawValue == "PickleHeat.Heater")
    #expect(String(decoding: event.data, as: UTF8.self) == text.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  @Test(arguments: OHT50EventType.allCases)
  func `a robot's event comes as the document's frame or as its data, and gets its name from the topic`(type: OHT50EventType) throws {
    let text = try Self.fixture("oht50/\(type.rawValue)")
    let frame = try JSONObject(parsing: Array(text.utf8))
    let framed = try event("oht50/OHT-1/\(type.rawValue)", text)
    #expect(framed.applianceID.rawValue == "OHT-1" && framed.type.rawValue == type.rawValue)
    #expect(framed.timestamp == Timestamp(iso8601: try #require(frame.string("timestamp"))))
    let data = try #require(frame.object("data")).bytes
    let bare = try event("oht50/OHT-1/\(type.rawValue)", String(decoding: data, as: UTF8.self))
    #expect(bare.data == framed.data && bare.timestamp == Self.now)
  }

  @Test func `a robot's own events pass within the families, and no safety event is refused for what it lacks`() throws {
    #expect(try event("oht50/R/mission.paused", #"{"a":1}"#).type.rawValue == "mission.paused")
    #expect(try event("oht50/R/safety.estop", "{}").type.rawValue == "safety.estop")
  }

  @Test(arguments: [
    ("reefnet/M/status", "garbage", Rejection.Reason.malformedPayload, "not a JSON object"),
    ("reefnet/M/status", #"{"protocol":"reefnet.v2","type":"status"}"#, .foreignProtocol, "'reefnet.v2'"),
    (
      "reefnet/M/status", #"{"protocol":"reefnet.v1","type":"status","module_id":"M","payload":{}}"#, .invalidMember,
      "'payload.subsystems' is missing"
    ),
    (
      "reefnet/M/status", #"{"protocol":"reefnet.v1","type":"status","module_id":"N","payload":{"subsystems":[]}}"#, .contradictsTopic,
      "module_id is 'N'"
    ),
    (
      "reefnet/M/alarm", #"{"protocol":"reefnet.v1","type":"status","module_id":"M","payload":{"subsystems":[]}}"#, .contradictsTopic,
      "type is 'status'"
    ),
    ("reefnet/M/status", #"{"protocol":"reefnet.v1","type":"dance","module_id":"M"}"#, .contradictsTopic, "'dance'"),
    ("reefnet/M/other", "{}", .foreignTopic, "no device publishes"), ("reefnet/a b/status", "{}", .foreignTopic, "no device publishes"),
    ("oht50/R/dance.started", "{}", .foreignTopic, "no device publishes"), ("oht50/R/system", "{}", .foreignTopic, "no device publishes"),
    ("oht50/R/alarm:raised", "{}", .foreignTopic, "no device publishes"),
    ("oht50/R/mission.progress", #"{"mission_id":"m"}"#, .invalidMember, "'data.progress' is missing"),
    ("oht50/R/mission.progress", #"{"type":"mission.started","data":{}}"#, .contradictsTopic, "type is 'mission.started'"),
    ("oht50/R/safety.estop", #"{"type":"safety.estop","appliance_id":"S","data":{}}"#, .contradictsTopic, "appliance_id is 'S'"),
    ("oht50/R/safety.estop", "", .malformedPayload, "not a JSON object"),
    ("martlet/M/events/reefnet:status", "{}", .reservedType, "'reefnet/M/…' alone"),
  ])
  func `what is no frame is a dead letter with its reason`(topic: String, payload: String, reason: Rejection.Reason, told: String) {
    let rejection = rejection(topic, payload)
    #expect(rejection?.reason == reason && rejection?.explanation.contains(told) == true, "\(String(describing: rejection))")
  }

  // MARK: A status as the answer to commands

  private func intake(_ messages: [(topic: String, payload: String)]) -> Intake {
    Intake(
      messages.enumerated().map { index, message in
        MQTTMessage(
          topic: message.topic, payload: Array(message.payload.utf8), qos: .atLeastOnce, packetID: UInt16(index + 1), isRedelivery: false,
          sessionToken: 1)
      }, clientID: "c", receivedAt: Self.now)
  }

  private func open(_ id: String, _ command: ReefnetCommand, isSent: Bool = true) throws -> OpenCommand {
    OpenCommand(
      id: id, applianceID: try ApplianceID("PickleHeat.Heater"), type: command.type, expiresAt: Self.now + .seconds(9), isUrgent: false,
      isSent: isSent)
  }

  private func asked(_ id: String, _ setpoint: Double) throws -> Command {
    Command(
      id: id, applianceID: try ApplianceID("PickleHeat.Heater"), type: ReefnetCommand.setParam.type, issuedAt: Self.now,
      expiresAt: Self.now,
      data: Array(#"{"parameters":{"setpoint_c":\#(setpoint)}}"#.utf8))
  }

  @Test func `a status closes what it shows, and nothing else`() throws {
    let module = try ApplianceID("PickleHeat.Heater")
    var intake = intake([("reefnet/\(module)/status", try Self.fixture("reefnet/status"))])
    #expect(intake.answering == [module])
    let open = try [
      open("shown", .setParam), open("other", .setParam), open("lost", .setParam), open("unsent", .ping, isSent: false),
      open("asked", .ping),
    ]
    intake.settle([module: open], asked: ["shown": try asked("shown", 25), "other": try asked("other", 26)])
    #expect(intake.entries.compactMap(\.step) == [.close(id: "shown"), .close(id: "asked")])
    let types = intake.entries.map { entry in if case .event(let event) = entry.content { event.type } else { EventType.commandFailed } }
    #expect(types == [.reefnetStatus, .commandAcknowledged, .commandAcknowledged])
  }

  @Test func `an alarm proves nothing, and a robot answers for itself`() throws {
    let intake = intake([
      ("reefnet/PickleHeat.Heater/alarm", try Self.fixture("reefnet/alarm.safety.relay_stuck")),
      ("oht50/R/command/ack", #"{"command_id":"c","status":"acknowledged"}"#),
    ])
    #expect(intake.answering == [try ApplianceID("R")])
  }

  @Test func `a module's frames are ordered by their receipt, because it may not know the time`() throws {
    let intake = intake([("reefnet/PickleHeat.Heater/status", try Self.fixture("reefnet/status"))])
    #expect(intake.entries.map(\.order) == [Self.now])
    guard case .event(let event) = try #require(intake.entries.first).content else { return #expect(Bool(false)) }
    #expect(event.timestamp.iso8601 == "2026-02-27T21:15:10Z")
  }
}
