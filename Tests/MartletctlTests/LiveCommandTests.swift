import Foundation
import LocalStack
import Models
import Subprocess
import Testing

@testable import Martletctl

@Suite(.timeLimit(.minutes(2))) struct `Commands for live events` {
  private static func publish(_ fixture: CommandFixture, _ channel: String, _ message: String) async throws {
    _ = try await fixture.stack.redis.cli("publish", channel, message)
  }

  private static func event(_ appliance: String, _ status: String) -> String {
    #"{"type":"appliance:status","appliance_id":"\#(appliance)","timestamp":"2026-02-14T12:28:00Z","data":{"status":"\#(status)"}}"#
  }

  @Test func `tail shows an appliance's events and no other's, one a line`() async throws {
    try await CommandFixture.run([.redis]) { fixture in
      for (flags, expected) in [
        ([], #"2026-02-14T12:28:00Z EPIC-001 appliance:status status="online""#), (["--json"], Self.event("EPIC-001", "online")),
      ] {
        let arguments = ["tail", "EPIC-001"] + flags
        let (status, lines) = try await fixture.follow(arguments) { line in
          guard line.hasPrefix("following") else { return false }
          try await Self.publish(fixture, "ws:EPIC-002", Self.event("EPIC-002", "online"))
          try await Self.publish(fixture, "ws:EPIC-001", Self.event("EPIC-001", "online"))
          return true
        }
        #expect(status == .exited(0))
        #expect(lines == ["following EPIC-001; stop with Ctrl-C", expected])
      }
    }
  }

  @Test func `tail tells that its connection is lost, and follows again when it is back`() async throws {
    try await CommandFixture.run([.redis]) { fixture in
      var seenCount = 0
      let (status, lines) = try await fixture.follow(["tail", "EPIC-001"]) { _ in
        seenCount += 1
        if seenCount == 1 { try await fixture.stack.restart("redis") }
        return seenCount < 3
      }
      #expect(status == .exited(0))
      #expect(
        lines == [
          "following EPIC-001; stop with Ctrl-C",
          "martletctl: the connection to Redis is lost: events until it is back are not shown",
          "following EPIC-001; stop with Ctrl-C",
        ])
    }
  }

  @Test func `tail without an appliance follows all there are, and those that are added`() async throws {
    try await CommandFixture.run([.redis, .postgres]) { fixture in
      _ = try await fixture.martletctl("migrate")
      _ = try await fixture.martletctl("apply", "-", input: "users: [{id: demo}]\nappliances: [{id: A, owner: demo}, {id: B, owner: demo}]")
      let (status, lines) = try await fixture.follow(["tail"]) { line in
        switch line {
        case "following 2 appliances; stop with Ctrl-C":
          _ = try await fixture.martletctl("apply", "-", input: "appliances: [{id: C, owner: demo}]")
        case "following 3 appliances; stop with Ctrl-C":
          try await Self.publish(fixture, "ws:A", Self.event("A", "online"))
          try await Self.publish(fixture, "ws:C", Self.event("C", "online"))
        default: return !line.contains(" C ")
        }
        return true
      }
      #expect(status == .exited(0))
      #expect(lines.count == 4, "\(lines)")
    }
  }

  @Test func `simulate is heard by another client, and its last will when it is killed`() async throws {
    try await CommandFixture.run([.mosquitto]) { fixture in
      let ended = try await fixture.martletctl(
        "simulate", "epicura", "E-1", "--interval", "0.01", "--speed", "4000", "--sessions", "2", "--seed", "5")
      #expect(ended.status == .exited(0), "\(ended)")
      #expect(ended.output.hasPrefix("simulating E-1 with seed 5; stop with Ctrl-C\n"))
      #expect(ended.output.contains("\nepicura/E-1/session/complete {"))
      #expect(try await Self.retainedStatus(fixture, "E-1") == #"{"status":"offline"}"#)

      let (status, _) = try await fixture.follow(["simulate", "epicura", "E-2", "--interval", "0.01", "--speed", "1000"], signal: .kill) {
        !$0.contains("/session/started")
      }
      #expect(status == .signaled(9))
      #expect(try await Self.retainedStatus(fixture, "E-2") == #"{"status":"offline"}"#)
    }
  }

  /// The last retained status, once it says offline.
  private static func retainedStatus(_ fixture: CommandFixture, _ appliance: String) async throws -> String {
    let environment = try fixture.stack.mosquitto.clientEnvironment(.admin)
    var status = ""
    while !status.contains("offline") {
      status = try await CommandFixture.tool(
        "mosquitto_sub", ["-t", "epicura/\(appliance)/status", "-C", "1", "-W", "10"], environment: environment)
    }
    return status.trimmingCharacters(in: .newlines)
  }
}
