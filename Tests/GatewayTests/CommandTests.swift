import Commands
import EventLog
import Models
import Testing
import WebSocketTestClient

@testable import Gateway

/// Commands over real sockets, with the log in memory; the test is the device.
@Suite(.timeLimit(.minutes(1))) struct CommandTests {
  private func open<Result>(_ gateway: TestGateway, _ body: (RawClient) async throws -> Result) async throws -> Result {
    try await RawClient.open(port: gateway.port, "/ws?token=\(gateway.token())") { client in
      _ = try await client.read()
      return try await body(client)
    }
  }

  private func send(_ type: String, _ client: RawClient, data: String = "{}") async throws {
    try await client.send(.text(#"{"type":"\#(type)","appliance_id":"EPIC-001","request_id":"r-1","data":\#(data)}"#))
  }

  private func next(_ type: String, _ client: RawClient) async throws -> JSONObject {
    let message = try JSONObject(parsing: try await client.read().payload)
    #expect(message.string("type") == type)
    return message
  }

  /// What the device does with the open command.
  private func acknowledge(_ gateway: TestGateway) async throws {
    let command = try #require(try await gateway.log.openCommands(of: Samples.appliance).first)
    let event = CommandOutcome.acknowledged(command.id, command.type, by: Samples.appliance, message: "Done", at: .now())
    let outcomes = try await gateway.log.append([LogEntry(.event(event), order: .now(), step: .close(id: command.id))])
    #expect(outcomes != [.refused])
  }

  @Test(arguments: [1, 2])
  func `Who is not subscribed hears what becomes of their command, and nothing else`(loopCount: Int) async throws {
    try await TestGateway.run(loopCount: loopCount) { gateway in
      try await gateway.append(Samples.status("online", 0))
      try await open(gateway) { client in
        for type in ["cooking:start", "cooking:stop"] {
          try await send(type, client, data: #"{"recipe_id":"r","later":{"x":[1]}}"#)
          let requested = try #require(try await next("command:requested", client).object("data"))
          #expect(requested.string("type") == type && requested.string("user_id") == "ann" && requested.string("request_id") == "r-1")
          #expect(requested.object("data")?.object("later") != nil, "unknown members pass")
          try await gateway.append(Samples.event("cooking:error", 1), Samples.event("cooking:progress", 1))
          try await acknowledge(gateway)
          let done = try #require(try await next("command:acknowledged", client).object("data"))
          #expect(done.string("command_id") == requested.string("command_id"))
        }
        try await gateway.append(Samples.event("cooking:error", 2))
        try await client.send(.text(#"{"type":"ping"}"#))
        #expect(try await client.read().text == #"{"type":"pong"}"#)
        #expect(await gateway.metric("topics") == 0)
        #expect(await gateway.metric("commands_accepted_total") == 2)
      }
    }
  }

  @Test func `Who is subscribed hears each event of the command once, also when they subscribe in between or leave`() async throws {
    try await TestGateway.run { gateway in
      try await gateway.append(Samples.status("online", 0))
      try await gateway.subscribed(status: "online") { client in
        _ = try await client.read()
        try await send("cooking:pause", client)
        _ = try await next("command:requested", client)
        try await client.send(.text(#"{"type":"unsubscribe","appliance_id":"EPIC-001"}"#))
        _ = try await next("unsubscribed", client)
        try await gateway.append(Samples.event("cooking:error", 1))
        try await acknowledge(gateway)
        let before = try #require(try await next("command:acknowledged", client).string("id"))
        try await send("cooking:resume", client)
        _ = try await next("command:requested", client)
        try await client.send(.text(#"{"type":"subscribe","appliance_id":"EPIC-001","since":"\#(before)"}"#))
        _ = try await next("subscribed", client)
        try await acknowledge(gateway)
        #expect(try await next("command:acknowledged", client).object("data")?.string("type") == "cooking:resume")
      }
    }
  }

  @Test func `An appliance that is offline is told of at once and once, with and without a subscription`() async throws {
    try await TestGateway.run { gateway in
      try await gateway.append(Samples.status("offline", 0))
      try await open(gateway) { client in
        try await send("cooking:pause", client)
        _ = try await next("command:requested", client)
        #expect(try await next("command:failed", client).object("data")?.string("code") == "APPLIANCE_OFFLINE")
        try await client.send(.text(#"{"type":"subscribe","appliance_id":"EPIC-001"}"#))
        _ = try await next("subscribed", client)
        _ = try await next("appliance:status", client)
        try await send("cooking:pause", client)
        _ = try await next("command:requested", client)
        _ = try await next("command:failed", client)
        let live = try await gateway.append(Samples.event("cooking:error", 1))
        #expect(try await client.read().payload == live[0])
      }
    }
  }

  @Test func `Data of the wrong kind is named by its path, and nobody else hears of it`() async throws {
    try await TestGateway.run { gateway in
      try await gateway.append(Samples.status("online", 0))
      try await gateway.subscribed(status: "online") { witness in
        _ = try await witness.read()
        try await open(gateway) { client in
          for (data, path) in [
            ("{}", "data.recipe_id"), (#"{"recipe_id":5}"#, "data.recipe_id"), ("[]", "data"),
            (#"{"recipe_id":"r","customizations":{"servings":"two"}}"#, "data.customizations.servings"),
          ] {
            try await send("cooking:start", client, data: data)
            let failed = try #require(try await next("command:failed", client).object("data"))
            #expect(failed.string("code") == "INVALID_COMMAND")
            #expect(failed.string("message")?.contains("'\(path)'") == true)
          }
        }
        let live = try await gateway.append(Samples.event("cooking:error", 1))
        #expect(try await witness.read().payload == live[0])
      }
    }
  }

  @Test func `A silent appliance is told of after the deadline, also where no ingest runs`() async throws {
    try await TestGateway.run { gateway in
      try await gateway.append(Samples.status("online", 0))
      try await open(gateway) { client in
        try await send("cooking:pause", client)
        _ = try await next("command:requested", client)
        #expect(try await next("command:failed", client).object("data")?.string("code") == "COMMAND_TIMEOUT")
        #expect(try await gateway.log.openCommands(of: Samples.appliance).isEmpty)
      }
    }
  }
}
