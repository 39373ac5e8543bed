import Foundation
import MQTTClient
import Models
import Testing

@testable import Martletctl

@Suite struct `A simulated robot` {
  private static let now = Timestamp(microseconds: 1_771_072_500_000_000)

  private func robot(_ manner: CommandManner = .obey, troublesPerHour: Double = 0) throws -> SimulatedRobot {
    SimulatedRobot(try ApplianceID("OHT-1"), Robot(seed: 3, troublesPerHour: troublesPerHour), rate_hz: 10, manner: manner)
  }

  /// What it says in steps of a second.
  private func story(_ robot: inout SimulatedRobot, from start: Int = 0, seconds: Int) -> [MQTTPublication] {
    (start..<start + seconds).flatMap { robot.advance(SimulatedStep(simulatedSeconds: 1, now: Self.now + .seconds($0))) }
  }

  private func types(_ words: [MQTTPublication]) -> [String] { words.map { String($0.topic.dropFirst("oht50/OHT-1/".count)) } }

  private func data(_ type: String, _ words: [MQTTPublication]) throws -> JSONObject {
    let word = try #require(words.first { $0.topic.hasSuffix(type) })
    return try #require(try JSONObject(parsing: word.payload).object("data"))
  }

  private func stop(_ id: String = "c-1", expiresIn seconds: Int = 10) -> MQTTMessage {
    let (issued, expires) = (Self.now.iso8601, (Self.now + .seconds(seconds)).iso8601)
    let payload = #"{"command_id":"\#(id)","type":"emergency_stop","issued_at":"\#(issued)","expires_at":"\#(expires)","data":{}}"#
    return MQTTMessage(topic: "oht50/OHT-1/command/emergency_stop", payload: Array(payload.utf8))
  }

  @Test func `every event has the members of the document's example, in its order, and its shape`() throws {
    var robot = try robot(troublesPerHour: 400)
    let words = robot.powerOn(at: Self.now) + story(&robot, seconds: 3600)
    var seen: Set<String> = []
    for word in words where seen.insert(word.topic).inserted {
      let topic = try #require(OHT50Topic(word.topic))
      guard case .event(let name) = topic.kind, let type = OHT50EventType(name) else { return #expect(Bool(false), "\(word.topic)") }
      let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/oht50/\(type.rawValue).json")
      let (frame, example) = (try JSONObject(parsing: word.payload), try JSONObject(parsing: Array(Data(contentsOf: fixture))))
      #expect(frame.members.map(\.name) == example.members.map(\.name))
      let (data, expected) = (try #require(frame.object("data")), try #require(example.object("data")))
      try type.shape.check(data)
      // A module that works again has no error.
      if type != .moduleStatusChange { #expect(data.members.map(\.name) == expected.members.map(\.name), "\(type)") }
    }
    #expect(Set(seen.map { String($0.dropFirst("oht50/OHT-1/".count)) }) == Set(OHT50EventType.allCases.map(\.rawValue)))
  }

  @Test func `it drives its missions through the zones to their ends, the same with the same seed`() throws {
    var (one, other) = (try robot(), try robot())
    let words = story(&one, seconds: 1000)
    #expect(words == story(&other, seconds: 1000))
    let missions = types(words).filter { $0.hasPrefix("mission.") && $0 != "mission.progress" || $0 == "safety.zone_entered" }
    #expect(
      missions.starts(with: ["mission.started", "safety.zone_entered", "safety.zone_entered", "mission.completed", "mission.started"]))
    #expect(try data("mission.completed", words).string("status") == "success")
    #expect(try data("mission.completed", words).object("final_position")?.number("x") == 1250.5)
    let progress = try words.filter { $0.topic.hasSuffix("mission.progress") }.map {
      try #require(JSONObject(parsing: $0.payload).object("data"))
    }
    let first = progress.prefix { $0.string("mission_id") == "mission-001" }.compactMap { $0.number("progress") }
    #expect(first == first.sorted() && first.allSatisfy { (0...100).contains($0) } && first.count > 100)
  }

  @Test func `an emergency stop stops it, is acknowledged, and is cleared after a while`() throws {
    var robot = try robot()
    _ = story(&robot, seconds: 60)
    let words = robot.hear(stop(), at: Self.now)
    #expect(types(words) == ["command/ack", "safety.estop", "mission.completed", "system.status"])
    #expect(words[0].payload == Array(#"{"command_id":"c-1","status":"acknowledged"}"#.utf8))
    #expect(try data("safety.estop", words).string("trigger_type") == "remote")
    #expect(try data("mission.completed", words).string("status") == "cancelled")
    #expect(try data("system.status", words).string("status") == "estop")
    let standing = story(&robot, from: 60, seconds: 29)
    #expect(Set(types(standing)) == ["telemetry.realtime", "system.status"])
    #expect(try data("telemetry.realtime", standing).object("velocity")?.number("linear") == 0)
    let after = types(story(&robot, seconds: 30)).filter { $0 != "telemetry.realtime" && $0 != "system.status" }
    #expect(after.starts(with: ["safety.clear", "mission.started"]))
  }

  @Test func `a stop that comes again or too late has no answer, and one that stands already stops it again`() throws {
    var robot = try robot()
    _ = robot.hear(stop(), at: Self.now)
    #expect(robot.hear(stop(), at: Self.now).isEmpty && robot.hear(stop("c-2", expiresIn: -1), at: Self.now).isEmpty)
    #expect(types(robot.hear(stop("c-3"), at: Self.now)) == ["command/ack", "safety.estop", "system.status"])
    for garbage in ["", "{}", #"{"type":"emergency_stop"}"#] {
      #expect(robot.hear(MQTTMessage(topic: "oht50/OHT-1/command/emergency_stop", payload: Array(garbage.utf8)), at: Self.now).isEmpty)
    }
  }

  @Test func `it refuses or is silent when it is told to`() throws {
    var (refusing, silent) = (try robot(.reject), try robot(.silent))
    let refusal = refusing.hear(stop(), at: Self.now)
    #expect(types(refusal) == ["command/ack"] && String(decoding: refusal[0].payload, as: UTF8.self).contains("rejected"))
    #expect(silent.hear(stop(), at: Self.now).isEmpty)
  }

  @Test func `it says how its system is once a second, however fast its telemetry is`() throws {
    var robot = try robot()
    let words = (0..<100).flatMap { step in
      robot.advance(SimulatedStep(simulatedSeconds: 0.01, now: Self.now + .milliseconds(50 * step)))
    }
    #expect(types(words).count { $0 == "telemetry.realtime" } == 100)
    #expect(types(words).count { $0 == "system.status" } == 5)
  }
}
