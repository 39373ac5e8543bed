import Commands
import EventLog
import Foundation
import Models
import Synchronization
import Testing
import WebSocketTestClient

@testable import Gateway

/// Consoles on real sockets, with the log in memory; the test is the robot.
@Suite(.timeLimit(.minutes(1))) struct ConsoleTests {
  static let (robot, other) = (Samples.appliance, Samples.other)

  func console<Result>(
    _ gateway: TestGateway, query: String = "", user: String = "ann", _ body: (RawClient) async throws -> Result
  ) async throws -> Result {
    try await RawClient.open(port: gateway.port, "/ws/telemetry?token=\(gateway.token(user))\(query)") { client in
      _ = try await next("authenticated", client)
      return try await body(client)
    }
  }

  func say(_ text: String, _ client: RawClient) async throws { try await client.send(.text(text)) }

  @discardableResult
  func next(_ type: String, _ client: RawClient) async throws -> JSONObject {
    let message = try JSONObject(parsing: try await client.read().payload)
    #expect(message.string("type") == type, "\(String(decoding: message.bytes, as: UTF8.self))")
    return message
  }

  func subscribe(_ patterns: String, _ client: RawClient, rest: String = "") async throws {
    try await say(#"{"type":"subscribe","events":[\#(patterns)]\#(rest)}"#, client)
    try await next("subscribed", client)
  }

  func number(_ message: JSONObject) -> Double? { message.object("data")?.number("n") }

  @Test(arguments: [1, 2])
  func `All event types of the document reach a console as they are on the bus, and foreign ones do not`(loopCount: Int) async throws {
    try await TestGateway.run(loopCount: loopCount) { gateway in
      try await console(gateway) { client in
        try await subscribe("\"*\"", client)
        try await gateway.append(Samples.event("cooking:progress", 0), Samples.event("alarm:raised", 0))
        for (number, type) in OHT50EventType.allCases.enumerated() {
          let sent = try await gateway.append(Samples.event(type.rawValue, UInt64(number)))
          #expect(try await client.read().payload == sent.first)
        }
        let own = try await gateway.append(Samples.event("mission.paused", 1, of: Self.other))
        #expect(try await client.read().payload == own.first)
      }
    }
  }

  @Test func `A stop that is cleared and comes again is told at once, and a repeat is not told after what came later`() async throws {
    try await TestGateway.run { gateway in
      // What is between them makes them no repeats also for one that does not hear it.
      try await console(gateway) { client in
        try await subscribe("\"safety.estop\"", client)
        for (word, number) in [("estop", 1), ("clear", 1), ("estop", 1), ("estop", 2)] as [(String, UInt64)] {
          try await gateway.append(Samples.event("safety.\(word)", number))
        }
        for expected in [1.0, 1, 2] { #expect(number(try await next("safety.estop", client)) == expected) }
      }
      try await console(gateway) { client in
        try await subscribe("\"safety.*\"", client)
        for word in ["estop", "clear", "estop", "estop", "clear", "zone_entered"] {
          try await gateway.append(Samples.event("safety.\(word)", 3))
        }
        for word in ["estop", "clear", "estop", "clear", "zone_entered"] { try await next("safety.\(word)", client) }
      }
    }
  }

  @Test func `A mission's events come in their order, however often each may come`() async throws {
    try await TestGateway.run { gateway in
      try await console(gateway) { client in
        try await subscribe("\"mission.*\"", client)
        for (word, number) in [("progress", 1), ("progress", 2), ("completed", 3), ("completed", 4), ("started", 5)] as [(String, UInt64)] {
          try await gateway.append(Samples.event("mission.\(word)", number))
        }
        for (word, expected) in [("progress", 1.0), ("completed", 3), ("completed", 4), ("started", 5)] {
          #expect(number(try await next("mission.\(word)", client)) == expected)
        }
      }
    }
  }

  /// Reads an event, and notes its number beside those of its type.
  func note(_ client: RawClient, _ told: inout [String: [Double]]) async throws {
    let message = try JSONObject(parsing: try await client.read().payload)
    told[message.string("type") ?? "", default: []].append(number(message) ?? 0)
  }

  @Test func `Consoles with different wishes get each their own`() async throws {
    try await TestGateway.run { gateway in
      try await console(gateway) { slow in
        try await subscribe("\"telemetry.*\"", slow, rest: #","rate":0.01"#)
        try await console(gateway) { missions in
          try await subscribe("\"mission.*\"", missions, rest: #","appliance_id":"\#(Self.robot)""#)
          for number in 1...3 as ClosedRange<UInt64> {
            try await gateway.append(Samples.event("telemetry.realtime", number), Samples.event("mission.started", number, of: Self.other))
          }
          try await gateway.append(Samples.event("mission.completed", 9))
          #expect(number(try await next("mission.completed", missions)) == 9)
          #expect(number(try await next("telemetry.realtime", slow)) == 1)
          try await say(#"{"type":"unsubscribe","events":["telemetry.realtime"]}"#, slow)
          try await next("unsubscribed", slow)
          try await subscribe("\"telemetry.realtime\"", slow)
          try await gateway.append(Samples.event("telemetry.realtime", 4))
          #expect(number(try await next("telemetry.realtime", slow)) == 4)
        }
      }
    }
  }

  @Test func `A console that does not read gets the newest telemetry and every safety event`() async throws {
    try await TestGateway.run { gateway in
      try await console(gateway) { client in
        try await subscribe("\"*\"", client)
        // A robot's own telemetry has no limit: nothing holds it back but a socket that is full.
        let filling = String(repeating: "x", count: 30_000)
        var sentCount = 0.0
        while await gateway.metric("conflated_total") ?? 0 < 50 {
          sentCount += 1
          var event = Samples.event("telemetry.custom", 0)
          event.data = Array("{\"n\":\(sentCount),\"filling\":\"\(filling)\"}".utf8)
          try await gateway.append(event, Samples.event("safety.estop", UInt64(sentCount)))
        }
        try await gateway.append(Samples.event("telemetry.realtime", 7))
        var told: [String: [Double]] = [:]
        while told["telemetry.realtime"] == nil { try await note(client, &told) }
        let telemetry = told["telemetry.custom"] ?? []
        #expect(told["safety.estop"] == Array(stride(from: 1, through: sentCount, by: 1)))
        #expect(telemetry == telemetry.sorted() && telemetry.last == sentCount && Double(telemetry.count) <= sentCount - 50)
        #expect(await gateway.metric("slow_closes_total") == 0)
      }
    }
  }

  @Test func `Who comes back gets what was missed once and before what is live`() async throws {
    try await TestGateway.run { gateway in
      let robot = #","appliance_id":"\#(Self.robot)""#
      let seen = try await gateway.append(Samples.event("mission.started", 1))
      let first = try #require(seen.first)
      let since = try #require(JSONObject(parsing: first).string("id"))
      try await gateway.append(
        Samples.event("mission.completed", 2), Samples.event("config.updated", 3), Samples.event("safety.estop", 4),
        Samples.event("telemetry.realtime", 5))
      try await console(gateway) { client in
        try await say(#"{"type":"subscribe","events":["mission.*","safety.*","telemetry.*"],"since":"\#(since)"\#(robot)}"#, client)
        #expect(try await next("subscribed", client).boolean("recovered") == true)
        for (type, expected) in [("mission.completed", 2.0), ("safety.estop", 4), ("telemetry.realtime", 5)] {
          #expect(number(try await next(type, client)) == expected)
        }
        try await gateway.append(Samples.event("mission.started", 6))
        #expect(number(try await next("mission.started", client)) == 6)
      }
    }
  }

  @Test func `A robot takes so many consoles, and one that leaves makes room`() async throws {
    var limits = OHT50Limits()
    limits.consolesMax = 1
    try await TestGateway.run(oht50: limits) { gateway in
      try await console(gateway) { first in
        try await subscribe("\"*\"", first, rest: #","appliance_id":"\#(Self.robot)""#)
        try await console(gateway) { second in
          let subscribe = #"{"type":"subscribe","events":["*"],"appliance_id":"\#(Self.robot)"}"#
          try await say(subscribe, second)
          try await next("subscribed", second)
          #expect(try await next("error", second).string("error_code") == "WS-003")
          try await say(#"{"type":"unsubscribe","events":["*"],"appliance_id":"\#(Self.robot)"}"#, first)
          try await next("unsubscribed", first)
          try await say(subscribe, second)
          try await next("subscribed", second)
          try await gateway.append(Samples.event("system.error", 1))
          try await next("system.error", second)
        }
      }
    }
  }

  @Test func `The system's last status comes with the name of the question, and telemetry's state is told after its rate`() async throws {
    try await TestGateway.run { gateway in
      try await console(gateway, query: "&client_id=desk-7&appliance_id=\(Self.robot)&subscription=telemetry.realtime,system.*") { client in
        try await next("subscribed", client)
        let ask = #"{"type":"get_system_status","request_id":"req-123"}"#
        try await say(ask, client)
        #expect(try await next("error", client).string("error_code") == "WS-002")
        try await gateway.append(Samples.event("system.status", 1))
        try await next("system.status", client)
        try await say(ask, client)
        let status = try await next("system.status", client)
        #expect(status.string("request_id") == "req-123" && number(status) == 1)
        try await say(#"{"type":"set_telemetry_rate","rate":5}"#, client)
        let telemetry = try await next("telemetry.status", client).object("data")
        #expect(telemetry?.boolean("streaming") == false && telemetry?.number("rate") == 5)
        #expect(telemetry?.number("connected_clients") == 1)
        for rate in ["0", "-1", "1e9", "NaN"] {
          try await say(#"{"type":"set_telemetry_rate","rate":\#(rate)}"#, client)
          try await next("error", client)
        }
      }
    }
  }

  @Test func `A stop reaches the log with its reason, and its outcome the console that ordered it, subscribed or not`() async throws {
    try await TestGateway.run { gateway in
      for isSubscribed in [false, true] {
        try await console(gateway, query: "&client_id=desk-7") { client in
          if isSubscribed { try await subscribe("\"mission.*\"", client, rest: #","appliance_id":"\#(Self.robot)""#) }
          let name = isSubscribed ? "" : #","appliance_id":"\#(Self.robot)""#
          try await say(#"{"type":"emergency_stop","reason":"manual_trigger","request_id":"req-124"\#(name)}"#, client)
          let requested = try await next("command_ack", client)
          let id = try #require(requested.string("command_id"))
          #expect(requested.string("status") == "requested" && requested.string("request_id") == "req-124")
          let command = try #require(try await gateway.log.openCommands(of: Self.robot).first)
          #expect(command.id == id && command.type == .emergencyStop)
          let logged = try await gateway.log.history(of: Self.robot, after: .zero).events.last
          let data = try JSONObject(parsing: logged?.data ?? []).object("data")
          #expect(data?.string("reason") == "manual_trigger" && data?.string("client_id") == "desk-7")
          let event = CommandOutcome.acknowledged(id, .emergencyStop, by: Self.robot, message: nil, at: .now())
          _ = try await gateway.log.append([LogEntry(.event(event), order: .now(), step: .close(id: id))])
          let done = try await next("command_ack", client)
          #expect(done.string("status") == "acknowledged" && done.string("command_id") == id && done.string("request_id") == "req-124")
        }
      }
      try await gateway.waitFor("topics", 0)
    }
  }

  @Test func `A viewer's stop is refused, and one without a name stops what may be stopped`() async throws {
    try await TestGateway.run { gateway in
      gateway.directory.state.withLock { $0.rights["bob"] = [Self.robot: .watch, Self.other: .operate] }
      try await console(gateway, user: "bob") { client in
        try await say(#"{"type":"emergency_stop","request_id":"r","appliance_id":"\#(Self.robot)"}"#, client)
        #expect(try await next("error", client).string("error_code") == "WS-002")
        let ack = try await next("command_ack", client)
        #expect(ack.string("status") == "failed" && ack.string("code") == "NOT_PERMITTED" && ack.string("request_id") == "r")
        #expect(try await gateway.log.openCommands(of: Self.robot).isEmpty)
        try await say(#"{"type":"emergency_stop"}"#, client)
        let listed = try await next("command_ack", client)
        #expect(listed.string("status") == "requested" && listed.string("appliance_id") == Self.other.rawValue)
      }
    }
  }

  @Test func `Rights that are lost end what is watched, and a token that is revoked the connection`() async throws {
    try await TestGateway.run { gateway in
      try await console(gateway) { client in
        try await subscribe("\"*\"", client)
        gateway.directory.state.withLock { $0.rights["ann"] = [Self.robot: .own] }
        try await gateway.log.publish(AccessChange.appliance(Self.other).encoded(), to: Bus.changes)
        try await gateway.waitFor("subscriptions", 1)
        try await gateway.append(Samples.event("mission.started", 1, of: Self.other), Samples.event("mission.started", 2))
        #expect(number(try await next("mission.started", client)) == 2)
        gateway.directory.state.withLock { _ = $0.users.remove("ann") }
        try await gateway.log.publish(AccessChange.user("ann").encoded(), to: Bus.changes)
        #expect(try await next("error", client).string("error_code") == "WS-001")
        let close = try await client.read()
        #expect(close.closeCode == 1008 && close.closeReason == "User not found")
      }
    }
  }

  @Test func `A console is pinged, and one that answers nothing is closed with 1001`() async throws {
    var limits = OHT50Limits()
    (limits.pingInterval, limits.idleTimeout) = (.milliseconds(50), .milliseconds(200))
    try await TestGateway.run(oht50: limits) { gateway in
      try await RawClient.open(port: gateway.port, "/ws/telemetry?token=\(gateway.token())") { client in
        var frames = [try await client.read()]
        while let frame = frames.last, frame.closeCode == nil { frames.append(try await client.read()) }
        #expect(frames.contains { $0.opcode == 0x9 } && frames.last?.closeCode == 1001)
      }
    }
  }

  @Test func `A console that says too much at once is closed with 1009`() async throws {
    try await TestGateway.run { gateway in
      try await console(gateway) { client in
        try await say(String(repeating: " ", count: OHT50Limits().messageBytesMax + 1), client)
        #expect(try await client.read().closeCode == 1009)
      }
    }
  }

  @Test func `On a device's own network a console needs no token, and names its robot`() async throws {
    try await TestGateway.run(isLocal: true) { gateway in
      try await RawClient.open(port: gateway.port, "/ws/telemetry") { client in
        try await next("authenticated", client)
        try await subscribe("\"*\"", client, rest: #","appliance_id":"\#(Self.robot)""#)
        try await gateway.append(Samples.event("mission.started", 1))
        try await next("mission.started", client)
        try await say(#"{"type":"emergency_stop"}"#, client)
        #expect(try await next("command_ack", client).string("appliance_id") == Self.robot.rawValue)
      }
    }
  }
}
