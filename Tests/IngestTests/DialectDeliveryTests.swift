import Commands
import EventLog
import LocalStack
import Logging
import Models
import NIOPosix
import RedisClient
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
        // It has not done it yet.
        try await publish(status, "reefnet/\(module)/status", bench)
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
    try await bench.log.read(shard: Bus.shard(of: bench.appliance), after: .zero, limit: 1000, wait: .zero).records.compactMap { record in
      guard case .event(var event) = record.content else { return nil }
      event.id = record.id
      return event
    }
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
}
