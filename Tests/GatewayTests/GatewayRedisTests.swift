import Commands
import EventLog
import LocalStack
import Logging
import Models
import NIOCore
import NIOPosix
import RedisClient
import Testing
import WebSocketTestClient

@testable import Gateway

/// The gateway on a real Redis, with no more rights there than it has in the field.
@Suite(.timeLimit(.minutes(2))) struct GatewayRedisTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func withGateway(_ body: @escaping @Sendable (TestGateway, LocalStack) async throws -> Void) async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      func log(_ user: RedisServer.User) throws -> RedisEventLog {
        var configuration = try RedisConfiguration(url: redis.url(user), password: redis.password(user))
        // A machine that runs every test at once may be slow.
        configuration.callTimeout = .seconds(20)
        return RedisEventLog(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet)
      }
      let configuration = try RedisConfiguration(url: redis.url(.gateway), password: redis.password(.gateway))
      try await TestGateway.run(
        on: try log(.gateway), appendingTo: try log(.admin), loopCount: 2,
        liveFeed: { RedisSubscription(configuration: configuration, eventLoop: $0, receiver: $1, logger: Self.quiet) }
      ) { @Sendable gateway in try await body(gateway, stack) }
    }
  }

  @Test func `Events come from Redis as they were appended`() async throws {
    try await withGateway { gateway, _ in
      try await gateway.append(Samples.status("cooking", 0))
      try await gateway.subscribed(status: "cooking") { client in
        _ = try await client.read()
        for number in 1...100 {
          let sent = try await gateway.append(Samples.event("cooking:error", UInt64(number)))
          #expect(try await client.read().payload == sent[0])
        }
      }
      try await gateway.gateway.canary.check()
    }
  }

  @Test func `When Redis is killed and comes back, a client gets every discrete event once and in order`() async throws {
    try await withGateway { gateway, stack in
      try await gateway.subscribed { client in
        var sent = try await gateway.append(Samples.event("cooking:error", 0))
        for round in 1...3 {
          try await stack.kill("redis")
          try await stack.start("redis")
          // Some of these are appended before the gateway has its subscription again, some after.
          for number in 1...40 { sent += try await gateway.append(Samples.event("cooking:error", UInt64(round * 100 + number))) }
        }
        for message in sent { #expect(try await client.read().payload == message) }
      }
    }
  }

  @Test func `A client that comes back while Redis is killed and started gets every discrete event once and in order`() async throws {
    try await withGateway { gateway, stack in
      var sent = try await gateway.append(Samples.event("cooking:error", 0))
      var last = try #require(Event(parsing: sent[0]).id)
      var received: [[UInt8]] = []
      for round in 1...3 {
        for number in 1...20 { sent += try await gateway.append(Samples.event("cooking:error", UInt64(round * 100 + number))) }
        if round == 2 {
          try await stack.kill("redis")
          try await stack.start("redis")
        }
        // The log may still be out of reach, which is told, and then asked again.
        while received.count < sent.count - 1 {
          try? await gateway.resumed(since: last) { client in
            while received.count < sent.count - 1 {
              received.append(try await client.read().payload)
              last = try #require(Event(parsing: received[received.count - 1]).id)
            }
          }
        }
      }
      #expect(received == Array(sent.dropFirst()))
    }
  }

  @Test func `A past that Redis does not hold any more is told`() async throws {
    try await withGateway { gateway, stack in
      let seen = try await gateway.append(Samples.event("cooking:error", 0))
      for number in 1...600 { try await gateway.append(Samples.event("cooking:error", UInt64(number))) }
      try await gateway.resumed(since: Event(parsing: seen[0]).id, recovered: false) { client in
        let live = try await gateway.append(Samples.event("cooking:error", 601))
        #expect(try await client.read().payload == live[0])
      }
    }
  }

  @Test func `A command goes into the log and its outcome comes out, with the gateway's own rights on Redis`() async throws {
    try await withGateway { gateway, _ in
      try await gateway.append(Samples.status("online", 0))
      try await RawClient.open(port: gateway.port, "/ws?token=\(gateway.token())") { client in
        _ = try await client.read()
        for type in ["cooking:start", "cooking:stop"] {
          try await client.send(.text(#"{"type":"\#(type)","appliance_id":"EPIC-001","data":{"recipe_id":"r"}}"#))
          #expect(try await client.read().text.contains("command:requested"))
          let command = try #require(try await gateway.log.openCommands(of: Samples.appliance).first)
          let done = CommandOutcome.acknowledged(command.id, command.type, by: Samples.appliance, message: nil, at: .now())
          _ = try await gateway.log.append([LogEntry(.event(done), order: .now(), step: .close(id: command.id))])
          #expect(try await client.read().text.contains("command:acknowledged"))
        }
      }
    }
  }
}
