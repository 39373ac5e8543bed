import Testing

@testable import Models

@Suite struct `The life of a command` {
  private let appliance: ApplianceID
  private let time = Timestamp(microseconds: 1_771_072_500_000_000)

  init() throws { appliance = try ApplianceID("EPIC-001") }

  private func command(_ type: String) throws -> Command {
    Command(id: "c\"1", applianceID: appliance, type: try EventType(type), issuedAt: time, expiresAt: time + .seconds(10))
  }

  @Test(arguments: [
    ("cooking:start", "epicura/EPIC-001/command/start"), ("cooking:pause", "epicura/EPIC-001/command/pause"),
    ("cooking:resume", "epicura/EPIC-001/command/resume"), ("cooking:stop", "epicura/EPIC-001/command/stop"),
    ("cooking:fry", "martlet/EPIC-001/commands/cooking:fry"), ("door.open", "martlet/EPIC-001/commands/door.open"),
  ])
  func `a command goes to its dialect's topic`(type: String, topic: String) throws {
    #expect(try command(type).topic == topic)
  }

  @Test func `a topic for commands is known as such`() throws {
    #expect(try EpicuraTopic(command("cooking:stop").topic)?.kind == .command)
  }

  @Test func `stops are urgent, and nothing else is`() throws {
    for type in ["cooking:stop", "emergency_stop"] { #expect(try command(type).isUrgent) }
    for type in ["cooking:start", "stop", "cooking:stopped"] { #expect(try !command(type).isUrgent) }
  }

  @Test func `what was sent and acknowledged is told with id and type, escaped, and a message where there is one`() throws {
    let command = try command("cooking:start")
    let sent = CommandOutcome.sent(command.id, command.type, to: command.applianceID, at: time)
    #expect(sent.type == .commandSent && sent.applianceID == appliance && sent.timestamp == time)
    #expect(String(decoding: sent.data, as: UTF8.self) == #"{"command_id":"c\"1","type":"cooking:start"}"#)
    let texts = [nil, "on \"it\""].map { message in
      String(
        decoding: CommandOutcome.acknowledged(command.id, command.type, by: appliance, message: message, at: time).data, as: UTF8.self)
    }
    #expect(
      texts == [#"{"command_id":"c\"1","type":"cooking:start"}"#, #"{"command_id":"c\"1","type":"cooking:start","message":"on \"it\""}"#])
  }

  @Test(arguments: CommandFailure.Code.allCases)
  func `a failure is told with its code and a sentence`(code: CommandFailure.Code) throws {
    let failure = CommandFailure(commandID: "c", type: try EventType("x"), code: code, message: "a \"reason\"")
    let event = failure.event(of: appliance, at: time)
    #expect(event.type == .commandFailed)
    #expect(
      String(decoding: event.data, as: UTF8.self)
        == #"{"command_id":"c","type":"x","code":"\#(code.rawValue)","message":"a \"reason\""}"#)
  }
}
