import Commands
import EventLog
import Foundation
import LocalStack
import Logging
import Models
import NIOPosix
import RedisClient
import Subprocess
import Testing

/// Heaters and robots through real processes: Redis, Mosquitto, two replicas of ingest, and devices that are none of ours.
@Suite(.serialized, .timeLimit(.minutes(5))) struct DialectDeliveryTests {
  private func deploy(
    _ appliance: String, _ dialect: CommandDialect, hears: String, says: String, _ body: (CommandBench) async throws -> Void
  ) async throws {
    var configuration = LocalStackConfiguration([.redis, .postgres, .mosquitto])
    configuration.services = MartletService.Plan.replicas(2, of: "ingest")
    try await LocalStack.run(configuration) { stack in
      var redis = try RedisConfiguration(url: stack.redis.url(.admin), password: stack.redis.password(.admin))
      redis.callTimeout = .seconds(30)
      let log = RedisEventLog(
        configuration: redis, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, writer: "test")
      let bench = CommandBench(stack: stack, log: log, appliance: try ApplianceID(appliance), dialect: dialect, hears: hears, says: says)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await log.run() }
        try await body(bench)
        group.cancelAll()
      }
    }
  }

  private func publish(_ text: String, _ topic: String, _ bench: CommandBench) async throws {
    try await bench.stack.mosquitto.publish("-q", "1", "-t", topic, "-s", input: text)
  }

  private func online(_ status: String, _ bench: CommandBench) async throws -> Event {
    try await bench.event { $0.type == .applianceStatus && CommandBench.member("status", of: $0) == status }
  }

  @Test func `a heater that speaks is online, shows by its status what it was told, and its will says offline`() async throws {
    let (module, status) = ("PickleHeat.Heater", try DialectTranslationTests.fixture("reefnet/status"))
    try await deploy(module, .reefnet, hears: "reefnet/\(module)/control", says: "none") { bench in
      let early = try await bench.request("reefnet:ping", "{}", deadline: .seconds(3600))
      #expect(try await bench.outcome(of: early) == "APPLIANCE_OFFLINE")
      try await bench.withDevice { device in
        try await publish(status, "reefnet/\(module)/status", bench)
        _ = try await online("online", bench)
        let set = try await bench.request("reefnet:set_param", #"{"parameters":{"setpoint_c":26.5}}"#)
        let frame = try #require(try await next(1, of: device).first)
        #expect(frame.topic == "reefnet/\(module)/control" && frame.payload == String(decoding: set.encoded(), as: UTF8.self))
        _ = try await bench.event { $0.type == .commandSent }
        // It has not done it yet. The next message may be the other replica's, which does not wait for this one.
        try await publish(status, "reefnet/\(module)/status", bench)
        var statusCount = 0
        _ = try await bench.event {
          if $0.type == .reefnetStatus { statusCount += 1 }
          return statusCount == 2
        }
        try await publish(status.replacing(#""setpoint_c": 25.0"#, with: #""setpoint_c": 26.5"#), "reefnet/\(module)/status", bench)
        #expect(try await bench.outcome(of: set) == "acknowledged")
        let shown = try await bench.event { $0.type == .commandAcknowledged }
        let statuses = try await log(bench).filter { $0.type == .reefnetStatus && ($0.id ?? .zero) < (shown.id ?? .zero) }
        #expect(statuses.count == 3)
      }
      try await publish(#"{"status":"offline"}"#, "martlet/\(module)/events/appliance:status", bench)
      _ = try await online("offline", bench)
      let gone = CommandRequest(
        applianceID: bench.appliance, dialect: .reefnet, type: ReefnetCommand.ping.type, data: Array("{}".utf8), userID: "anna")
      guard case .failed(let failure) = await bench.desk().request(gone, permission: .own) else { return #expect(Bool(false)) }
      #expect(failure.code == .applianceOffline)
    }
  }

  private func log(_ bench: CommandBench) async throws -> [Event] {
    try await bench.log.read(shard: Bus.shard(of: bench.appliance), after: .zero, limit: 1000, wait: .zero).records.compactMap(\.event)
  }

  @Test func `a robot is stopped and says so, and its events come through as the document has them`() async throws {
    try await deploy("OHT-1", .oht50, hears: "oht50/OHT-1/command/+", says: "oht50/OHT-1/command/ack") { bench in
      for type in OHT50EventType.allCases {
        try await publish(try DialectTranslationTests.fixture("oht50/\(type.rawValue)"), "oht50/OHT-1/\(type.rawValue)", bench)
      }
      for type in OHT50EventType.allCases { _ = try await bench.event { $0.type.rawValue == type.rawValue } }
      _ = try await online("online", bench)
      try await bench.withDevice { device in
        let stop = try await bench.request("emergency_stop", #"{"reason":"manual_trigger"}"#)
        let told = try #require(try await next(1, of: device).first)
        #expect(told.topic == "oht50/OHT-1/command/emergency_stop" && told.payload == String(decoding: stop.encoded(), as: UTF8.self))
        try await publish(#"{"command_id":"\#(stop.id)","status":"acknowledged"}"#, "oht50/OHT-1/command/ack", bench)
        #expect(try await bench.outcome(of: stop) == "acknowledged")
      }
      try await publish("{\u{1b}garbage", "oht50/OHT-1/safety.estop", bench)
      let topic = "oht50/OHT-1/safety.estop"
      _ = try await bench.record(shard: Bus.shard(of: topic.utf8)) { record in
        if case .deadLetter(let letter) = record.content { letter.topic == topic } else { false }
      }
    }
  }

  // MARK: With the simulated devices, and one that is none of ours

  @Test func `the simulated heater shows what it is told, raises and clears its alarm, and its will says offline`() async throws {
    let module = "PickleHeat.Heater"
    try await deploy(module, .reefnet, hears: "none", says: "none") { bench in
      let arguments = ["simulate", "heater", module, "--interval", "0.1", "--speed", "200", "--fault", "runaway", "--seed", "1"]
      try await bench.stack.keepMartletctl("heater", arguments)
      _ = try await online("online", bench)
      for isActive in [true, false] {
        let event = try await bench.event {
          ReefnetAlarm($0).map { $0.code == "safety.thermal_runaway" && $0.isActive == isActive } ?? false
        }
        #expect(event.applianceID.rawValue == module)
      }
      for (type, data) in [
        ("reefnet:set_param", #"{"type":"set_param","param":"heater_setpoint_c","value":26.5}"#), ("reefnet:ping", "{}"),
        ("reefnet:config_request", #"{"type":"config_request"}"#),
      ] { #expect(try await bench.outcome(of: try await bench.request(type, data)) == "acknowledged", "\(type)") }
      // It takes none that do not go together, so no status shows this one.
      let odd = try await bench.request("reefnet:set_param", #"{"parameters":{"setpoint_min_c":90}}"#, deadline: .seconds(3))
      #expect(try await bench.outcome(of: odd) == "COMMAND_TIMEOUT")
      try await bench.stack.kill("heater")
      _ = try await online("offline", bench)
    }
  }

  @Test func `the simulated robot drives, stops when it is told to, and goes on`() async throws {
    try await deploy("OHT-1", .oht50, hears: "none", says: "none") { bench in
      try await bench.stack.keepMartletctl("robot", ["simulate", "robot", "OHT-1", "--rate", "20", "--speed", "10", "--seed", "3"])
      for type in ["module.discovered", "mission.started", "mission.progress", "telemetry.realtime", "safety.zone_entered"] {
        _ = try await bench.event { $0.type.rawValue == type }
      }
      #expect(try await bench.outcome(of: try await bench.request("emergency_stop", #"{"reason":"manual_trigger"}"#)) == "acknowledged")
      let stopped = try await bench.event {
        $0.type.rawValue == "safety.estop" && CommandBench.member("trigger_type", of: $0) == "remote"
      }
      let cleared = try await bench.event { $0.type.rawValue == "safety.clear" && ($0.id ?? .zero) > (stopped.id ?? .zero) }
      _ = try await bench.event { $0.type.rawValue == "mission.started" && ($0.id ?? .zero) > (cleared.id ?? .zero) }
    }
  }

  @Test func `a device of twenty lines of Python is heard, obeys, and is missed`() async throws {
    try await deploy("greenhouse-7", .generic, hears: "none", says: "none") { bench in
      let broker = try bench.stack.mosquitto
      let program = SourceFolder.root.appending(path: "deploy/examples/any_device.py").path()
      let address = try #require(URL(string: broker.url(.simulator)))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          _ = try await Subprocess.run(
            .name("env"),
            arguments: [
              "/usr/bin/python3", program, try #require(address.host()), String(try #require(address.port)), "greenhouse-7",
            ],
            environment: .inherit.updating(["MQTT_USER": "simulator", "MQTT_PASSWORD": broker.password(.simulator)]), output: .discarded,
            error: .discarded)
        }
        _ = try await online("online", bench)
        let telemetry = try await bench.event { $0.type.rawValue == "telemetry" }
        #expect(telemetry.readings().map(\.metric) == ["temperature"])
        #expect(try await bench.outcome(of: try await bench.request("door.open", #"{"wide":true}"#)) == "acknowledged")
        let opened = try await bench.event { $0.type.rawValue == "door.open" }
        #expect(String(decoding: opened.data, as: UTF8.self) == #"{"wide": true}"#)
        group.cancelAll()
      }
      _ = try await online("offline", bench)
    }
  }
}

private enum SourceFolder {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}
