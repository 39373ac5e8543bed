import Foundation
import LocalStack
import Subprocess
import Testing

/// Apps whose gateway goes away come back to another one, and miss nothing.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ReturnTests {
  private static let appliance = "EPIC-001"

  @Test func `Two thousand apps survive the kill of one of two gateways, and get every discrete event once and in order`() async throws {
    try await Backbone.run(appliances: [Self.appliance]) { backbone in
      try await Crowd.run(2000, on: backbone, appliance: Self.appliance) { crowd in
        try await publish(0..<30, on: backbone)
        try await backbone.stack.kill("gateway-1")
        try await publish(30..<60, on: backbone)
        try await crowd.waitUntilWhole(times: 2)
        try await publish(60..<90, on: backbone)
        try await expect(0..<90, lostBy: "1006", crowd, on: backbone)
      }
    }
  }

  @Test func `A restart sends every app away with 1001, and a well-behaved one misses nothing`() async throws {
    try await Backbone.run(appliances: [Self.appliance], environment: ["MARTLET_DRAIN_SECONDS": "6"]) { backbone in
      try await Crowd.run(200, on: backbone, appliance: Self.appliance) { crowd in
        try await publish(0..<20, on: backbone)
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await backbone.stack.restart("gateway-2") }
          group.addTask { for number in 20..<60 { try await publish(number..<(number + 1), on: backbone) } }
          try await group.waitForAll()
        }
        try await crowd.waitUntilWhole(times: 2)
        try await publish(60..<80, on: backbone)
        // A hundred of them over six seconds.
        let moments = try await expect(0..<80, lostBy: "1001", crowd, on: backbone)
        #expect(moments > 15)
      }
    }
  }

  private func publish(_ numbers: Range<Int>, on backbone: Backbone) async throws {
    let lines = numbers.map { #"{"n":\#($0)}"# + "\n" }.joined()
    try await backbone.stack.mosquitto.publish(
      "-q", "1", "-t", "epicura/\(Self.appliance)/session/stage_change", "-l", input: lines, limit: .seconds(60))
  }

  /// Ends the crowd, and checks what it saw. Answers in how many tenths of a second connections ended.
  @discardableResult
  private func expect(_ numbers: Range<Int>, lostBy code: String, _ crowd: Crowd, on backbone: Backbone) async throws -> Int {
    try await backbone.stack.mosquitto.publish("-q", "1", "-t", "epicura/\(Self.appliance)/session/complete", "-m", "{}")
    let result = try await crowd.result()
    #expect(result["lists"] == .array([.array(numbers.map { .number(Decimal($0)) })]), "\(result["apps"] ?? .null) apps saw these")
    #expect(result["refused"]?.int == 0)
    guard case .object(let closes) = result["closes"] else { throw Mailbox.Expired(description: "no closes in \(result)") }
    #expect(Set(closes.keys) == [code])
    return result["moments"]?.int ?? 0
  }
}

/// Many apps (Python `websockets`) in one child process.
private struct Crowd: Sendable {
  let count: Int
  let mailbox = Mailbox()

  /// Starts the apps on all gateways, and runs `body` once all have subscribed.
  static func run(
    _ count: Int, on backbone: Backbone, appliance: String, _ body: @escaping @Sendable (Crowd) async throws -> Void
  ) async throws {
    let crowd = Crowd(count: count)
    // As a cooker does that connects: each app is told it at once, and so has an event to name when it comes back.
    let status = #"{"status":"online"}"#
    try await backbone.stack.mosquitto.publish("-q", "1", "-r", "-t", "epicura/\(appliance)/status", "-m", status)
    try await backbone.waitForRow("1", "SELECT count(*) FROM events WHERE type = 'appliance:status'")
    let urls = [try backbone.gateway(1), try backbone.gateway(2)]
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        let program = try Clients.path("returning.py")
        _ = try await Subprocess.run(
          .name("env"), arguments: Arguments(["/usr/bin/python3", program, String(count), appliance] + urls),
          environment: .inherit.updating(["TOKEN": backbone.token]), input: .none, output: .sequence, error: .currentStandardError
        ) { execution in
          for try await line in execution.standardOutput.strings() { await crowd.mailbox.append(try JSON(line)) }
        }
      }
      try await crowd.waitUntilWhole(times: 1, limit: .seconds(90))
      try await body(crowd)
      group.cancelAll()
      try? await group.waitForAll()
    }
  }

  /// Waits until every app is subscribed, for so many times at least.
  func waitUntilWhole(times: Int, limit: Duration = .seconds(30)) async throws {
    let count = count
    try await mailbox.wait(for: "whole crowd", limit: limit) { messages in
      let counts = messages.filter { $0["type"]?.string == "test:connected" }.compactMap { $0["count"]?.int }
      return counts.last == count && counts.count(where: { $0 == count }) >= times ? () : nil
    }
  }

  func result() async throws -> JSON {
    try await mailbox.wait(for: "result of the crowd", limit: .seconds(90)) { messages in
      messages.first { $0["type"]?.string == "test:result" }
    }
  }
}
