import EventLog
import ForwardingLog
import Models
import NIOCore
import Synchronization
import Testing
import WebSocketTestClient

@testable import Gateway

/// A stop goes before its appliance is heard; its steps are told in their order all the same, whatever is read from the log late. The test is the device.
@Suite(.timeLimit(.minutes(1))) struct StopPastTests {
  @Test(arguments: [Dialogue.app, .app.subscribed(""), .console, .console.subscribed("")])
  fileprivate func `Each step of a stop is told once and in order, also those from before the appliance was heard`(dialogue: Dialogue)
    async throws
  {
    try await run(dialogue) { scene in
      try await scene.acknowledge()
      scene.log.commandReads.answer()
      try await scene.expectSteps()
    }
  }

  @Test(arguments: [
    Dialogue.app.subscribed(#","since":"1-0""#), .app.subscribed(#","since":"1-0""#).withoutCommands,
    .console.subscribed(#","since":"1-0""#),
  ])
  fileprivate func `So they are where a past with later events is told before what was missed of the stop`(dialogue: Dialogue) async throws
  {
    try await run(dialogue) { scene in
      await scene.log.recoveryReads.wait()
      try await scene.acknowledge()
      try await scene.gateway.append(Samples.event(dialogue.later, 9))
      scene.log.recoveryReads.answer()
      try await scene.readUpTo(dialogue.later)
      scene.log.commandReads.answer()
      try await scene.expectSteps()
    }
  }

  /// Sends the stop, which goes before anything is heard, and then hears; the reading of what was missed is under way.
  private func run(_ dialogue: Dialogue, _ body: (inout Scene) async throws -> Void) async throws {
    let (log, roles) = (TardyLog(), try RoleTable(parsing: dialogue.roles))
    try await TestGateway.run(on: log, appendingTo: log, loopCount: 1, roles: roles, liveFeed: { log.feed($0, $1) }) { gateway in
      gateway.directory.state.withLock { $0.rights["ann"] = [Samples.appliance: dialogue.right] }
      try await RawClient.open(port: gateway.port, "\(dialogue.endpoint)?token=\(gateway.token())") { client in
        _ = try await client.read()
        for message in dialogue.hello + [dialogue.stop] { try await client.send(.text(message)) }
        await log.commands.wait()
        var scene = Scene(dialogue: dialogue, gateway: gateway, log: log, client: client)
        let command = try await scene.command()
        let sent = CommandOutcome.sent(command.id, command.type, to: Samples.appliance, at: .now())
        _ = try await log.append([LogEntry(.event(sent), order: .now(), step: .sent(id: command.id))])
        log.hear()
        await log.commandReads.wait()
        try await body(&scene)
      }
    }
  }
}

private struct Scene {
  let dialogue: Dialogue
  let gateway: TestGateway
  let log: TardyLog
  let client: RawClient
  var steps: [String] = []

  func command() async throws -> OpenCommand { try #require(try await log.openCommands(of: Samples.appliance).first) }

  /// The device obeys, and every connection has heard of it.
  func acknowledge() async throws {
    let command = try await command()
    let done = CommandOutcome.acknowledged(command.id, command.type, by: Samples.appliance, message: nil, at: .now())
    _ = try await log.append([LogEntry(.event(done), order: .now(), step: .close(id: command.id))])
    // Behind the turn of the loop in which that is heard.
    _ = await gateway.metric("topics")
  }

  /// Reads one message, and notes the step that it tells.
  mutating func read() async throws -> JSONObject {
    let message = try JSONObject(parsing: try await client.read().payload)
    if let step = dialogue.steps.first(where: { $0 == message.string("status") ?? message.string("type") }) { steps.append(step) }
    return message
  }

  mutating func readUpTo(_ type: String) async throws {
    while try await read().string("type") != type {}
  }

  mutating func expectSteps() async throws {
    while steps.count < dialogue.steps.count { _ = try await read() }
    #expect(steps == dialogue.steps)
    try await client.send(.text(#"{"type":"ping"}"#))
    try await readUpTo("pong")
    #expect(steps == dialogue.steps, "nothing is told twice")
  }
}

private struct Dialogue: CustomTestStringConvertible, Sendable {
  let endpoint: String
  let subscribe: String
  let stop: String
  let steps: [String]
  /// An event that comes after the stop.
  let later: String
  var hello: [String] = []
  var right = Permission.own
  /// A table of roles.
  var roles = ""

  static let app = Dialogue(
    endpoint: "/ws", subscribe: #"{"type":"subscribe","appliance_id":"EPIC-001""#,
    stop: #"{"type":"cooking:stop","appliance_id":"EPIC-001"}"#,
    steps: ["command:requested", "command:sent", "command:acknowledged"], later: "cooking:complete")
  static let console = Dialogue(
    endpoint: "/ws/telemetry", subscribe: #"{"type":"subscribe","events":["safety.*"],"appliance_id":"EPIC-001""#,
    stop: #"{"type":"emergency_stop","appliance_id":"EPIC-001","reason":"r"}"#, steps: ["requested", "sent", "acknowledged"],
    later: "safety.estop")

  func subscribed(_ rest: String) -> Dialogue {
    var dialogue = self
    dialogue.hello = [subscribe + rest + "}"]
    return dialogue
  }

  /// For a role that gets nothing of commands, but for its user's own.
  var withoutCommands: Dialogue {
    var dialogue = self
    dialogue.right = .watch
    dialogue.roles = "generic viewer events * !command:requested !command:sent !command:acknowledged !command:failed"
    return dialogue
  }

  var testDescription: String { "\(endpoint) \(hello) \(right)" }
}

/// A log whose live feed hears nothing before `hear`, and whose history is read by nobody before the test says so.
private final class TardyLog: ForwardingLog, LiveFeed {
  let forwardsTo = MemoryEventLog()
  /// Commands that were opened.
  let commands = Turn()
  /// Readings of what was missed of a command, and of what a client missed.
  let (commandReads, recoveryReads) = (Turn(), Turn())
  private let feed = Mutex<MemoryLiveFeed?>(nil)
  private let wanted = Mutex<Set<String>>([])

  func feed(_ eventLoop: any EventLoop, _ receiver: any LiveReceiver) -> any LiveFeed {
    feed.withLock { $0 = MemoryLiveFeed(of: forwardsTo, eventLoop: eventLoop, receiver: receiver) }
    return self
  }

  func subscribe(_ channel: String) { wanted.withLock { _ = $0.insert(channel) } }

  func unsubscribe(_ channel: String) { feed.withLock { $0?.unsubscribe(channel) } }

  func hear() { for channel in wanted.withLock({ $0 }) { feed.withLock { $0?.subscribe(channel) } } }

  func append(_ entries: [LogEntry]) async throws -> [AppendOutcome] {
    let outcomes = try await forwardsTo.append(entries)
    if case .open = entries.first?.step { commands.ask() }
    return outcomes
  }

  func history(of appliance: ApplianceID, after: EventID) async throws -> EventHistory {
    let isRecovery = after == EventID(milliseconds: 1, sequence: 0)
    // What a command missed is what there is when it asks; what a client missed, what there is when it is answered.
    let history = try await forwardsTo.history(of: appliance, after: after)
    await (isRecovery ? recoveryReads : commandReads).pass()
    return isRecovery ? try await forwardsTo.history(of: appliance, after: after) : history
  }
}

/// Something that is asked for, and answered when the test says so.
private struct Turn {
  private let asked = AsyncStream.makeStream(of: Void.self)
  private let answered = AsyncStream.makeStream(of: Void.self)

  func ask() { asked.continuation.yield() }
  func wait() async { _ = await asked.stream.first { _ in true } }
  func answer() { answered.continuation.finish() }

  func pass() async {
    ask()
    for await _ in answered.stream {}
  }
}
