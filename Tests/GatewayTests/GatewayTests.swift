import Access
import EventLog
import Foundation
import Models
import ServiceRuntime
import Synchronization
import Testing
import WebSocketTestClient

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct GatewayTests {
  @Test func `A client gets the state, then every live event, byte for byte`() async throws {
    try await TestGateway.run { gateway in
      let known = try await gateway.append(Samples.status("online", 0), Samples.event("cooking:progress", 0))
      try await gateway.subscribed(status: "online") { client in
        #expect(try await client.read().payload == known[0])
        for type in ["cooking:started", "cooking:progress", "cooking:stage_change", "cooking:complete"] {
          let sent = try await gateway.append(Samples.event(type, 1))
          #expect(try await client.read().payload == sent[0])
        }
      }
    }
  }

  @Test(arguments: [
    "appliance.alert", "appliance.status", "cooking.complete", "cooking.error", "cooking.progress", "cooking.stage_change",
    "cooking.started",
  ])
  func `Each event of the Epicura document reaches a client unchanged in meaning`(name: String) async throws {
    let example = try Fixtures.epicura(name)
    let event = try Event(fromDevice: JSONObject(parsing: example), receivedAt: .now())
    try await TestGateway.run { gateway in
      try await gateway.subscribed { client in
        try await gateway.append(event)
        let received = try JSONObject(parsing: try await client.read().payload)
        let original = try JSONObject(parsing: example)
        for member in original.members { #expect(received.raw(member.name) == original.raw(member)) }
      }
    }
  }

  @Test func `Clients on several loops get the same events in the same order`() async throws {
    try await TestGateway.run(loopCount: 3) { gateway in
      try await gateway.subscribed { first in
        try await gateway.subscribed { second in
          try await gateway.subscribed { third in
            var sent: [[UInt8]] = []
            for number in 1...200 { sent += try await gateway.append(Samples.event("cooking:error", UInt64(number))) }
            for client in [first, second, third] {
              for message in sent { #expect(try await client.read().payload == message) }
            }
          }
        }
      }
    }
  }

  @Test func `A bad token is told why, and the connection ends`() async throws {
    try await TestGateway.run { gateway in
      let stranger = try await gateway.token("eve")
      let expired = try await gateway.token(lifetime: .seconds(-60))
      let cases = [
        ("/ws", AccessError.authenticationRequired), ("/ws?token=nonsense", .invalidOrExpiredToken),
        ("/ws?token=\(expired)", .invalidOrExpiredToken), ("/ws?token=\(stranger)", .userNotFound),
      ]
      for (target, error) in cases {
        try await RawClient.open(port: gateway.port, target) { client in
          let close = try await client.read()
          #expect(close.closeCode == 1008)
          #expect(close.closeReason == error.text)
        }
      }
    }
  }

  @Test func `A token in the header goes before one in the query`() async throws {
    try await TestGateway.run { gateway in
      let header = "Authorization: Bearer \(try await gateway.token())"
      try await RawClient.open(port: gateway.port, "/ws?token=nonsense", adding: [header]) { client in
        let answer = try await client.read().text
        #expect(answer == #"{"type":"connected","user_id":"ann"}"#)
      }
    }
  }

  @Test func `Another's appliance and one that does not exist are the same to a client`() async throws {
    try await TestGateway.run { gateway in
      try await RawClient.open(port: gateway.port, "/ws?token=\(gateway.token("bob"))") { client in
        _ = try await client.read()
        var answers: Set<String> = []
        for appliance in ["EPIC-001", "EPIC-999"] {
          try await client.send(.text(#"{"type":"subscribe","appliance_id":"\#(appliance)"}"#))
          let answer = try JSONObject(parsing: try await client.read().payload)
          #expect(answer.string("appliance_id") == appliance)
          answers.insert(answer.object("data").map { String(decoding: $0.bytes, as: UTF8.self) } ?? "")
        }
        #expect(answers.count == 1)
        #expect(answers.first?.contains("APPLIANCE_NOT_FOUND") == true)
      }
    }
  }

  @Test func `Mistakes are answered, and the connection stays`() async throws {
    try await TestGateway.run { gateway in
      try await gateway.subscribed { client in
        for (text, code) in [
          ("nonsense", "MALFORMED_MESSAGE"), (#"{"type":"x"}"#, "UNKNOWN_TYPE"),
          (#"{"type":"cooking:stop","appliance_id":"EPIC-009"}"#, "APPLIANCE_NOT_FOUND"),
        ] {
          try await client.send(.text(text))
          let answer = try JSONObject(parsing: try await client.read().payload)
          #expect(answer.string("type") == "error")
          #expect(answer.object("data")?.string("code") == code)
        }
        try await client.send(.text(#"{"type":"ping"}"#))
        #expect(try await client.read().text == #"{"type":"pong"}"#)
      }
    }
  }

  @Test func `What an interrupted subscription missed comes in order and once, before what is live`() async throws {
    try await TestGateway.run(loopCount: 2) { gateway in
      try await gateway.subscribed { client in
        var sent = try await gateway.append(Samples.event("cooking:error", 1))
        #expect(try await client.read().payload == sent[0])
        let feed = try #require(gateway.gateway.liveFeed as? MemoryLiveFeed)
        feed.disconnect()
        sent = try await gateway.append(
          Samples.event("cooking:error", 2), Samples.event("cooking:progress", 3), Samples.event("cooking:progress", 4),
          Samples.event("cooking:complete", 5))
        feed.subscribe(Bus.live(Samples.appliance))
        sent += try await gateway.append(Samples.event("cooking:error", 6))
        // The older telemetry was superseded before anybody could hear it.
        for message in [sent[0], sent[2], sent[3], sent[4]] { #expect(try await client.read().payload == message) }
        let last = try await gateway.append(Samples.event("cooking:error", 7))
        #expect(try await client.read().payload == last[0])
      }
    }
  }

  @Test func `A client that loses an appliance hears of it and gets nothing more`() async throws {
    try await TestGateway.run { gateway in
      try await gateway.subscribed { client in
        gateway.directory.state.withLock { $0.rights["ann"] = [Samples.other: .own] }
        try await gateway.log.publish([], to: Bus.changes)
        let answer = try JSONObject(parsing: try await client.read().payload)
        #expect(answer.object("data")?.string("code") == "APPLIANCE_NOT_FOUND")
        try await gateway.append(Samples.event("cooking:error", 1))
        try await client.send(.text(#"{"type":"ping"}"#))
        #expect(try await client.read().text == #"{"type":"pong"}"#)
      }
    }
  }

  @Test func `A client whose token is revoked is closed, and does not come in again`() async throws {
    try await TestGateway.run { gateway in
      let token = try await gateway.token()
      try await gateway.subscribed(token: token) { client in
        gateway.directory.state.withLock { $0.areAllRevoked = true }
        try await gateway.log.publish([], to: Bus.changes)
        let close = try await client.read()
        #expect(close.closeCode == 1008 && close.closeReason == "Token has been revoked")
      }
      try await RawClient.open(port: gateway.port, "/ws?token=\(token)") { client in
        let close = try await client.read()
        #expect(close.closeReason == "Token has been revoked")
      }
    }
  }

  @Test func `With the database down, live events go on and known clients come back; others are told to try again`() async throws {
    try await TestGateway.run { gateway in
      let token = try await gateway.token()
      try await gateway.subscribed(token: token) { client in
        gateway.directory.state.withLock { $0.isDown = true }
        let sent = try await gateway.append(Samples.event("cooking:error", 1))
        #expect(try await client.read().payload == sent[0])
        try await gateway.subscribed(token: token) { _ in }
        try await client.send(.text(#"{"type":"subscribe","appliance_id":"EPIC-002"}"#))
        #expect(try await client.read().text.contains("TEMPORARILY_UNAVAILABLE"))
        try await RawClient.open(port: gateway.port, "/ws?token=\(gateway.token("bob"))") { other in
          let close = try await other.read()
          #expect(close.closeCode == 1013)
        }
      }
    }
  }

  @Test func `A client that does not read gets the newest telemetry and every discrete event, and slows nobody`() async throws {
    try await TestGateway.run(queueBytesMax: 4 << 20) { gateway in
      try await gateway.subscribed { slow in
        try await gateway.subscribed { quick in
          var big = Samples.event("cooking:progress", 0)
          var discrete: [[UInt8]] = []
          for number in 1...600 {
            big.data = Array("{\"n\":\(number),\"x\":\"\(String(repeating: "x", count: 30_000))\"}".utf8)
            let sent = try await gateway.append(big)
            #expect(try await quick.read().payload == sent[0])
            guard number % 10 == 0 else { continue }
            discrete += try await gateway.append(Samples.event("cooking:error", UInt64(number)))
            #expect(try await quick.read().payload == discrete.last)
          }
          let conflated = await gateway.gateway.metrics.samples().first { $0.name == "martlet_gateway_conflated_total" }?.value
          #expect(try #require(conflated) > 0)
          var received: [[UInt8]] = []
          while received.count < discrete.count {
            let message = try await slow.read().payload
            if !message.starts(with: #"{"type":"cooking:progress""#.utf8) { received.append(message) }
          }
          #expect(received == discrete)
        }
      }
    }
  }

  @Test func `A client that lets too much wait is closed, and the others notice nothing`() async throws {
    try await TestGateway.run(queueBytesMax: 65_536) { gateway in
      try await gateway.subscribed { _ in
        try await gateway.subscribed { quick in
          var event = Samples.event("cooking:error", 0)
          event.data = Array("{\"x\":\"\(String(repeating: "x", count: 30_000))\"}".utf8)
          var slowCloses = 0.0
          while slowCloses == 0 {
            let sent = try await gateway.append(event)
            #expect(try await quick.read().payload == sent[0])
            slowCloses = await gateway.gateway.metrics.samples().first { $0.name == "martlet_gateway_slow_closes_total" }?.value ?? 0
          }
        }
      }
    }
  }

  @Test func `The canary comes back through the subscription, and not when it is broken`() async throws {
    try await TestGateway.run { gateway in
      try await gateway.gateway.canary.check()
      try #require(gateway.gateway.liveFeed as? MemoryLiveFeed).disconnect()
      await #expect(throws: Canary.Failure.self) { try await gateway.gateway.canary.check() }
    }
  }

  @Test func `The last subscriber's leaving ends the topic`() async throws {
    try await TestGateway.run { gateway in
      try await gateway.subscribed { client in
        try await client.send(.text(#"{"type":"unsubscribe","appliance_id":"EPIC-001"}"#))
        #expect(try await client.read().text.contains("unsubscribed"))
        func value(_ name: String) async -> Double? { await gateway.gateway.metrics.samples().first { $0.name == name }?.value }
        #expect(await value("martlet_gateway_subscriptions") == 0)
        #expect(await value("martlet_gateway_topics") == 0)
      }
    }
  }
}

enum Fixtures {
  /// An example message of the Epicura document.
  static func epicura(_ name: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/epicura")
    return Array(try Data(contentsOf: folder.appending(path: "\(name).json")))
  }
}
