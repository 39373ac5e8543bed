import EventLog
import Models
import Synchronization
import Testing
import WebSocketTestClient

@testable import Gateway

/// Coming back with `since`, on real sockets.
@Suite(.timeLimit(.minutes(1))) struct RecoveryTests {
  private func id(_ message: [UInt8]) throws -> EventID { try #require(Event(parsing: message).id) }

  @Test func `What was missed comes in order and once, then the newest telemetry, then what is live`() async throws {
    try await TestGateway.run(loopCount: 2) { gateway in
      let seen = try await gateway.append(Samples.event("cooking:error", 1), Samples.event("cooking:progress", 1))
      let missed = try await gateway.append(
        Samples.event("cooking:error", 2), Samples.event("cooking:progress", 2), Samples.event("telemetry.a", 3),
        Samples.event("cooking:progress", 4), Samples.event("cooking:complete", 5))
      try await gateway.resumed(since: id(seen[1])) { client in
        for message in [missed[0], missed[4], missed[2], missed[3]] { #expect(try await client.read().payload == message) }
        let live = try await gateway.append(Samples.event("cooking:error", 6))
        #expect(try await client.read().payload == live[0])
      }
    }
  }

  @Test func `A client that has seen everything gets nothing but what is live`() async throws {
    try await TestGateway.run { gateway in
      let seen = try await gateway.append(Samples.status("online", 0), Samples.event("cooking:progress", 1))
      try await gateway.resumed(since: id(seen[1])) { client in
        let live = try await gateway.append(Samples.event("cooking:progress", 2))
        #expect(try await client.read().payload == live[0])
      }
    }
  }

  @Test func `A history that is too short is told, and the status comes as in a first subscription`() async throws {
    try await TestGateway.run { gateway in
      let first = try await gateway.append(Samples.event("cooking:error", 0))
      for number in 1...600 { try await gateway.append(Samples.event("cooking:error", UInt64(number))) }
      let status = try await gateway.append(Samples.status("online", 0))
      try await gateway.resumed(since: id(first[0]), recovered: false) { client in
        #expect(try await client.read().payload == status[0])
        let live = try await gateway.append(Samples.event("cooking:error", 601))
        #expect(try await client.read().payload == live[0])
      }
    }
  }

  @Test func `An id that the log has not given yet is none to recover from`() async throws {
    try await TestGateway.run { gateway in
      let seen = try await gateway.append(Samples.event("cooking:error", 0))
      let future = EventID(milliseconds: try id(seen[0]).milliseconds + 3_600_000, sequence: 0)
      try await gateway.resumed(since: future, recovered: false) { client in
        let live = try await gateway.append(Samples.event("cooking:error", 1))
        #expect(try await client.read().payload == live[0])
      }
    }
  }

  @Test func `A long past reaches a client with a small queue whole, while live events go on`() async throws {
    try await TestGateway.run(queueBytesMax: 65_536) { gateway in
      var event = Samples.event("cooking:error", 0)
      let seen = try await gateway.append(event)
      var missed: [[UInt8]] = []
      for number in 1...400 {
        event.data = Array("{\"n\":\(number),\"x\":\"\(String(repeating: "x", count: 30_000))\"}".utf8)
        missed += try await gateway.append(event)
      }
      try await gateway.resumed(since: id(seen[0])) { client in
        // 12 MB are more than the socket takes: these come while the client is still being told of the past.
        for number in 401...450 { missed += try await gateway.append(Samples.event("cooking:error", UInt64(number))) }
        for message in missed { #expect(try await client.read().payload == message) }
        let live = try await gateway.append(Samples.event("cooking:error", 451))
        #expect(try await client.read().payload == live[0])
      }
      #expect(await gateway.metric("recoveries_total") == 1)
      #expect(await gateway.metric("slow_closes_total") == 0)
    }
  }

  @Test func `Events that come while clients come back are in their place`() async throws {
    try await TestGateway.run(loopCount: 2) { gateway in
      let first = try await gateway.append(Samples.event("cooking:error", 0))
      let since = try id(first[0])
      try await withThrowingTaskGroup(of: [EventID].self) { group in
        for _ in 0..<20 {
          group.addTask {
            try await gateway.resumed(since: since) { client in
              var ids: [EventID] = []
              while ids.count < 300 { ids.append(try self.id(try await client.read().payload)) }
              return ids
            }
          }
        }
        var sent: [EventID] = []
        for number in 1...300 { sent.append(try id(try await gateway.append(Samples.event("cooking:error", UInt64(number)))[0])) }
        for try await received in group { #expect(received == sent) }
      }
    }
  }
}
