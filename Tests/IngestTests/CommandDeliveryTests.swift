import Commands
import EventLog
import LocalStack
import Logging
import Models
import NIOPosix
import RedisClient
import Testing

/// Commands through real processes: Redis, Mosquitto, two replicas of ingest, and a device that is none of ours.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CommandDeliveryTests {
  private func deploy(_ body: (CommandBench) async throws -> Void) async throws {
    var configuration = LocalStackConfiguration([.redis, .postgres, .mosquitto])
    configuration.services = MartletService.Plan.replicas(2, of: "ingest")
    try await LocalStack.run(configuration) { stack in
      var redis = try RedisConfiguration(url: stack.redis.url(.admin), password: stack.redis.password(.admin))
      redis.callTimeout = .seconds(30)
      let log = RedisEventLog(
        configuration: redis, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, writer: "test")
      let bench = CommandBench(stack: stack, log: log, appliance: try ApplianceID("EPIC-001"))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await log.run() }
        try await bench.say("online")
        try await body(bench)
        group.cancelAll()
      }
    }
  }

  @Test func `each command reaches its device once, whole and not retained, and its answer becomes its outcome`() async throws {
    try await deploy { bench in
      try await bench.withDevice { device in
        var sent: [Command] = []
        for number in 0..<20 { sent.append(try await bench.request(["cooking:start", "cooking:pause"][number % 2])) }
        var received = try await next(sent.count, of: device)
        #expect(received.compactMap(\.commandID) == sent.map(\.id))
        sent.append(try await bench.request("cooking:stop"))
        received += try await next(1, of: device)
        #expect(Set(received.map(\.payload)) == Set(sent.map { String(decoding: $0.encoded(), as: UTF8.self) }))
        #expect(Set(received.map(\.topic)) == Set(sent.map(\.topic)))
        #expect(received.allSatisfy { !$0.isRetained })

        for command in sent { try await bench.answer(command.id) }
        for command in sent {
          #expect(try await bench.outcome(of: command) == "acknowledged")
          #expect(Set(try await bench.story(of: command)).isSuperset(of: [.commandRequested, .commandAcknowledged]))
        }
        // Nothing came twice: what follows is the next command.
        let last = try await bench.request("cooking:resume")
        #expect(try await next(1, of: device).first?.commandID == last.id)
      }
      // The broker keeps none: the first retained message among all is this one.
      let mosquitto = try bench.stack.mosquitto
      try await mosquitto.publish("-r", "-t", "marker", "-m", "marker", user: .admin)
      let kept = try await bench.firstRetained(["epicura/+/command/+", "martlet/+/commands/+", "marker"])
      #expect(kept == "marker marker")
    }
  }

  @Test func `a device's refusal is told in its own words`() async throws {
    try await deploy { bench in
      try await bench.withDevice { device in
        let command = try await bench.request("cooking:start")
        _ = try await next(1, of: device)
        try await bench.answer(command.id, "rejected", message: "lid open")
        #expect(try await bench.outcome(of: command) == "REJECTED")
        let told = try await bench.event { $0.type == .commandFailed }
        #expect(
          String(decoding: told.data, as: UTF8.self)
            == #"{"command_id":"\#(command.id)","type":"cooking:start","code":"REJECTED","message":"lid open"}"#)
      }
    }
  }

  @Test func `a device that is gone is told long before the deadline`() async throws {
    try await deploy { bench in
      let start = try await bench.request("cooking:start", deadline: .seconds(3600))
      #expect(try await bench.outcome(of: start) == "APPLIANCE_OFFLINE")
      #expect(try await bench.story(of: start) == [.commandRequested, .commandFailed])
      // A stop is given up only for a device that said goodbye.
      try await bench.say("offline")
      let stop = try await bench.request("cooking:stop", deadline: .seconds(3600))
      #expect(try await bench.outcome(of: stop) == "APPLIANCE_OFFLINE")
    }
  }

  @Test func `a stop for a device that comes back before the deadline reaches it`() async throws {
    try await deploy { bench in
      let stop = try await bench.request("cooking:stop")
      #expect(try await bench.waitUntilTaken(stop) != nil)
      try await bench.withDevice { device in
        let heard = try await next(1, of: device)
        #expect(heard.first?.commandID == stop.id)
      }
    }
  }

  @Test(arguments: ["cooking:start", "cooking:stop"])
  func `a silent device times out, and hears nothing of it when it is back`(type: String) async throws {
    try await deploy { bench in
      try await bench.leaveSession(of: "cooker")
      let command = try await bench.request(type, deadline: .seconds(4))
      #expect(try await bench.outcome(of: command) == "COMMAND_TIMEOUT")
      #expect(try await bench.story(of: command) == [.commandRequested, .commandSent, .commandFailed])
      let failed = try await bench.event { $0.type == .commandFailed }
      #expect(failed.timestamp >= command.expiresAt)
      try await bench.withDevice(["-c", "-i", "cooker"]) { device in
        let pause = try await bench.request("cooking:pause")
        #expect(try await next(1, of: device).first?.commandID == pause.id)
      }
    }
  }

  @Test func `when a replica dies with a command in hand, the other sends it before the deadline`() async throws {
    try await deploy { bench in
      try await bench.withDevice { device in
        // A replica that is halted is still given a command, when its turn comes, and cannot send it.
        var commands: [Command] = []
        var holder: String?
        while holder != "ingest-1" {
          try await bench.stack.resume("ingest-1")
          try await bench.stack.pause("ingest-1")
          commands.append(try await bench.request("cooking:pause"))
          holder = try await bench.waitUntilTaken(commands[commands.count - 1])
        }
        try await bench.stack.kill("ingest-1")
        #expect(try await next(commands.count, of: device).compactMap(\.commandID) == commands.map(\.id))
        // The dead one has no share of the answers.
        for command in commands {
          try await bench.answer(command.id)
          #expect(try await bench.outcome(of: command) == "acknowledged")
        }
        let last = try await bench.request("cooking:resume")
        #expect(try await next(1, of: device).first?.commandID == last.id)
      }
    }
  }

  @Test func `a replica that cannot reach the broker leaves its commands to one that can`() async throws {
    try await deploy { bench in
      try await bench.leaveSession(of: "cooker")
      try await bench.stack.stop("mosquitto")
      let command = try await bench.request("cooking:start")
      try await bench.stack.start("mosquitto")
      try await bench.withDevice(["-c", "-i", "cooker"]) { device in
        let heard = try await next(1, of: device)
        #expect(heard.first?.commandID == command.id)
      }
    }
  }

  @Test func `a stop overtakes what was not sent before it`() async throws {
    try await deploy { bench in
      try await bench.leaveSession(of: "cooker")
      try await bench.stack.stop("mosquitto")
      let start = try await bench.request("cooking:start")
      let stop = try await bench.request("cooking:stop")
      try await bench.stack.start("mosquitto")
      #expect(try await bench.outcome(of: start) == "SUPERSEDED")
      try await bench.withDevice(["-c", "-i", "cooker"]) { device in
        #expect(try await next(1, of: device).first?.commandID == stop.id)
        // Whatever is asked for before the stop counts as sent is overtaken by it.
        _ = try await bench.event { $0.type == .commandSent && CommandBench.member("command_id", of: $0) == stop.id }
        let pause = try await bench.request("cooking:pause")
        #expect(try await next(1, of: device).first?.commandID == pause.id)
      }
    }
  }

  @Test func `stops get through while telemetry floods`() async throws {
    try await deploy { bench in
      try await bench.withDevice { device in
        let (count, topic) = (100_000, "epicura/\(bench.appliance)/session/progress")
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            let lines = (0..<count).map { #"{"n":\#($0),"temperature":148.5}"# + "\n" }.joined()
            try await bench.stack.mosquitto.publish("-q", "1", "-t", topic, "-l", input: lines, limit: .seconds(240))
          }
          _ = try await bench.event { $0.type.rawValue == "cooking:progress" }
          for _ in 0..<10 {
            let stop = try await bench.request("cooking:stop")
            #expect(try await next(1, of: device).first?.commandID == stop.id)
            try await bench.answer(stop.id)
          }
          try await group.waitForAll()
        }
        let sent = try await bench.log.read(shard: Bus.shard(of: bench.appliance), after: .zero, limit: .max, wait: .zero).records
          .compactMap { record -> EventType? in if case .event(let event) = record.content { event.type } else { nil } }
        #expect(sent.count { $0 == .commandSent } == 10)
        // The last stop was out before the flood was over.
        let lastStop = try #require(sent.lastIndex(of: .commandSent))
        #expect(sent[lastStop...].contains { $0.rawValue == "cooking:progress" })
      }
    }
  }

  @Test func `an answer that no command waits for is a dead letter`() async throws {
    try await deploy { bench in
      let command = try await bench.request("cooking:start")
      #expect(try await bench.outcome(of: command) == "APPLIANCE_OFFLINE")
      let topic = "epicura/\(bench.appliance)/command/ack"
      for id in [command.id, "never"] {
        try await bench.answer(id)
        let letter = try await bench.record(shard: Bus.shard(of: topic.utf8)) { record in
          if case .deadLetter(let letter) = record.content { letter.reason.contains(id) } else { false }
        }
        guard case .deadLetter(let letter) = letter.content else { return #expect(Bool(false)) }
        #expect(letter.topic == topic && letter.reason.contains("waits for an answer"))
      }
      #expect(try await bench.story(of: command) == [.commandRequested, .commandFailed])
    }
  }

  // MARK: With the simulated cooker

  private func cook(_ bench: CommandBench, _ manner: String) async throws {
    let arguments = [
      "simulate", "epicura", bench.appliance.rawValue, "--waits", "--speed", "1", "--interval", "0.05", "--commands", manner,
    ]
    try await bench.stack.keepMartletctl("cooker", arguments)
    // It says `online` anew, and means it.
    _ = try await bench.event { $0.type.rawValue == "appliance:status" && String(decoding: $0.data, as: UTF8.self).contains("firmware") }
  }

  private func event(_ type: String, in bench: CommandBench) async throws -> Event { try await bench.event { $0.type.rawValue == type } }

  @Test func `a cooker that is told to cooks, pauses, goes on and stops`() async throws {
    try await deploy { bench in
      try await cook(bench, "obey")
      for type in ["cooking:start", "cooking:pause", "cooking:resume", "cooking:stop"] {
        let command = try await bench.request(type)
        #expect(try await bench.outcome(of: command) == "acknowledged")
        _ = try await event("cooking:progress", in: bench)
      }
      let started = try await event("cooking:started", in: bench)
      #expect(CommandBench.member("recipe_id", of: started) == "r")
      // It is idle now.
      #expect(try await bench.outcome(of: try await bench.request("cooking:pause")) == "REJECTED")
    }
  }

  @Test func `a cooker that refuses, is silent, or is gone is told apart`() async throws {
    try await deploy { bench in
      try await cook(bench, "reject")
      #expect(try await bench.outcome(of: try await bench.request("cooking:start")) == "REJECTED")
      try await bench.stack.kill("cooker")
      // Its last will.
      _ = try await bench.event { $0.type.rawValue == "appliance:status" && String(decoding: $0.data, as: UTF8.self).contains("offline") }
      let gone = CommandRequest(
        applianceID: bench.appliance, dialect: .epicura, type: try EventType("cooking:start"), data: Array(#"{"recipe_id":"r"}"#.utf8),
        userID: "anna")
      guard case .failed(let failure) = await bench.desk().request(gone, permission: .own) else { return #expect(Bool(false)) }
      #expect(failure.code == .applianceOffline)
    }
    try await deploy { bench in
      try await cook(bench, "silent")
      #expect(try await bench.outcome(of: try await bench.request("cooking:start", deadline: .seconds(2))) == "COMMAND_TIMEOUT")
    }
  }
}
