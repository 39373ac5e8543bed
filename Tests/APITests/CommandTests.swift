import Foundation
import LocalStack
import Testing

/// Commands from REST to a device and back.
@Suite(.timeLimit(.minutes(3))) struct CommandTests {
  private typealias Question = APIFixture.Question
  private static let appliance = "/api/v1/appliances/EPIC-001"
  private static let services = [MartletService.Plan("persister"), MartletService.Plan("ingest")]

  private static func command(_ type: String, _ data: String = "{}", wait: Int, token: String) -> Question {
    Question("POST", appliance + "/commands?wait=\(wait)", token: token, body: #"{"type":"\#(type)","data":\#(data),"request_id":"r-7"}"#)
  }

  /// Asks again until it is as wanted; the database follows the log by a moment.
  private func eventually(
    _ fixture: APIFixture, _ question: APIFixture.Question, _ isWanted: (APIFixture.Answer) -> Bool
  ) async throws -> APIFixture.Answer {
    let deadline = ContinuousClock.now + .seconds(30)
    while true {
      let answer = try await fixture.ask(question)
      if isWanted(answer) { return answer }
      try #require(.now < deadline, "\(answer.body)")
    }
  }

  @Test func `A command reaches the device, whose word is the outcome, and all of it is history`() async throws {
    try await APIFixture.run(services: Self.services) { fixture in
      try await fixture.stack.keepMartletctl("simulator", ["simulate", "epicura", "EPIC-001", "--interval", "0.2"])
      let token = try await fixture.token("cook")
      _ = try await eventually(fixture, Question(path: Self.appliance + "/events?type=appliance:status", token: token)) {
        $0.count("events") ?? 0 > 0
      }

      let stop = try await fixture.ask(Self.command("cooking:stop", wait: 20, token: token))
      #expect((stop.status, stop.text("state")) == (202, "acknowledged"), "\(stop.body)")
      #expect(stop.text("user_id") == "cook")
      let location = try #require(stop.headers["location"])
      #expect(location == Self.appliance + "/commands/" + (stop.text("command_id") ?? ""))
      #expect(try await fixture.ask(Question(path: location, token: token)).text("state") == "acknowledged")
      let list = try await eventually(fixture, Question(path: Self.appliance + "/commands", token: token)) {
        $0.text("commands.0.state") == "acknowledged"
      }
      #expect(list.text("commands.0.command_id") == stop.text("command_id"))

      let unwaited = try await fixture.ask(
        Self.command("cooking:start", #"{"recipe_id":"recipe-1","unknown":1.10}"#, wait: 0, token: token))
      #expect((unwaited.status, unwaited.text("state")) == (202, "requested"))
      #expect(unwaited.body.contains(#""data":{"recipe_id":"recipe-1","unknown":1.10}"#))
      let settled = try await eventually(fixture, Question(path: try #require(unwaited.headers["location"]), token: token)) {
        $0.text("settled_at") != nil
      }
      #expect(settled.text("state") == "acknowledged", "\(settled.body)")
    }
  }

  @Test func `An appliance that is away fails the command at once, and that is told and kept`() async throws {
    try await APIFixture.run { fixture in
      let token = try await fixture.token("owner")
      let answer = try await fixture.ask(Self.command("cooking:start", #"{"recipe_id":"r"}"#, wait: 10, token: token))
      #expect((answer.status, answer.text("state"), answer.text("code")) == (202, "failed", "APPLIANCE_OFFLINE"), "\(answer.body)")
      #expect(try await fixture.ask(Question(path: try #require(answer.headers["location"]), token: token)).text("state") == "failed")
    }
  }

  @Test func `With no ingest, whoever waits for a stop or looks at it later learns that it timed out`() async throws {
    try await APIFixture.run { fixture in
      let token = try await fixture.token("guest")
      let answer = try await fixture.ask(Self.command("cooking:stop", wait: 20, token: token))
      #expect((answer.status, answer.text("state"), answer.text("code")) == (202, "failed", "COMMAND_TIMEOUT"), "\(answer.body)")
      let open = try await fixture.ask(Self.command("cooking:stop", wait: 0, token: token))
      #expect(open.text("state") == "requested")
      let late = try await eventually(fixture, Question(path: try #require(open.headers["location"]), token: token)) {
        $0.text("settled_at") != nil
      }
      #expect(late.text("code") == "COMMAND_TIMEOUT")
    }
  }
}
