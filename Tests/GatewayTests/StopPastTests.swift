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
  @Test(arguments: [
    Dialogue(
      endpoint: "/ws", hello: [], stop: #"{"type":"cooking:stop","appliance_id":"EPIC-001"}"#,
      steps: ["command:requested", "command:sent", "command:acknowledged"]),
    Dialogue(
      endpoint: "/ws", hello: [#"{"type":"subscribe","appliance_id":"EPIC-001"}"#],
      stop: #"{"type":"cooking:stop","appliance_id":"EPIC-001"}"#, steps: ["command:requested", "command:sent", "command:acknowledged"]),
    Dialogue(
      endpoint: "/ws/telemetry", hello: [], stop: #"{"type":"emergency_stop","appliance_id":"EPIC-001","reason":"r"}"#,
      steps: ["requested", "sent", "acknowledged"]),
  ])
  fileprivate func `Each step of a stop is told once and in order, also those from before the appliance was heard`(dialogue: Dialogue)
    async throws
  {
    let log = TardyLog()
    try await TestGateway.run(on: log, appendingTo: log, loopCount: 1, liveFeed: { log.feed($0, $1) }) { gateway in
      try await RawClient.open(port: gateway.port, "\(dialogue.endpoint)?token=\(gateway.token())") { client in
        _ = try await client.read()
        for message in dialogue.hello + [dialogue.stop] { try await client.send(.text(message)) }
        await log.waitForCommand()
        let command = try #require(try await log.openCommands(of: Samples.appliance).first)
        let sent = CommandOutcome.sent(command.id, command.type, to: Samples.appliance, at: .now())
        _ = try await log.append([LogEntry(.event(sent), order: .now(), step: .sent(id: command.id))])
        log.hear()
        await log.waitForRead()
        let done = CommandOutcome.acknowledged(command.id, command.type, by: Samples.appliance, message: nil, at: .now())
        _ = try await log.append([LogEntry(.event(done), order: .now(), step: .close(id: command.id))])
        // Behind the turn of the loop in which that is heard.
        _ = await gateway.metric("topics")
        log.answerReads()
        var steps: [String] = []
        while steps.count < 3 {
          let message = try JSONObject(parsing: try await client.read().payload)
          if let step = dialogue.steps.first(where: { $0 == message.string("status") ?? message.string("type") }) { steps.append(step) }
        }
        #expect(steps == dialogue.steps)
        try await client.send(.text(#"{"type":"ping"}"#))
        #expect(try await client.read().text.contains("pong"))
      }
    }
  }
}

private struct Dialogue: CustomTestStringConvertible, Sendable {
  let endpoint: String
  let hello: [String]
  let stop: String
  let steps: [String]

  var testDescription: String { "\(endpoint) \(hello)" }
}

/// A log whose live feed hears nothing before `hear`, and whose history is read by nobody before `answerReads`.
private final class TardyLog: ForwardingLog, LiveFeed {
  let forwardsTo = MemoryEventLog()
  private let feed = Mutex<MemoryLiveFeed?>(nil)
  private let wanted = Mutex<Set<String>>([])
  private let commands = AsyncStream.makeStream(of: Void.self)
  private let reads = AsyncStream.makeStream(of: Void.self)
  private let answers = AsyncStream.makeStream(of: Void.self)

  func feed(_ eventLoop: any EventLoop, _ receiver: any LiveReceiver) -> any LiveFeed {
    feed.withLock { $0 = MemoryLiveFeed(of: forwardsTo, eventLoop: eventLoop, receiver: receiver) }
    return self
  }

  func subscribe(_ channel: String) { wanted.withLock { _ = $0.insert(channel) } }

  func unsubscribe(_ channel: String) { feed.withLock { $0?.unsubscribe(channel) } }

  func hear() { for channel in wanted.withLock({ $0 }) { feed.withLock { $0?.subscribe(channel) } } }

  func append(_ entries: [LogEntry]) async throws -> [AppendOutcome] {
    let outcomes = try await forwardsTo.append(entries)
    if case .open = entries.first?.step { commands.continuation.yield() }
    return outcomes
  }

  func history(of appliance: ApplianceID, after: EventID) async throws -> EventHistory {
    let history = try await forwardsTo.history(of: appliance, after: after)
    reads.continuation.yield()
    for await _ in answers.stream {}
    return history
  }

  func waitForCommand() async { _ = await commands.stream.first { _ in true } }
  func waitForRead() async { _ = await reads.stream.first { _ in true } }
  func answerReads() { answers.continuation.finish() }
}
