import Commands
import EventLog
import Foundation
import LocalStack
import Models
import Subprocess

/// Two `ingest` processes with the servers that they need, and a desk that gives them commands.
struct CommandBench: Sendable {
  /// What a device is told.
  struct Received: Sendable, Equatable {
    let topic: String
    let isRetained: Bool
    let payload: String

    var commandID: String? { (try? JSONObject(parsing: Array(payload.utf8)))?.string("command_id") }
    var type: String? { (try? JSONObject(parsing: Array(payload.utf8)))?.string("type") }
  }

  let stack: LocalStack
  let log: RedisEventLog
  let appliance: ApplianceID
  var dialect = CommandDialect.epicura
  /// Where the device hears, and what it says there itself.
  var hears = "epicura/EPIC-001/command/+"
  var says = "epicura/EPIC-001/command/ack"

  func desk(_ deadline: Duration = .seconds(60)) -> CommandDesk {
    var deadlines = CommandDesk.Deadlines()
    (deadlines.normal, deadlines.urgent) = (deadline, deadline)
    return CommandDesk(log: log, deadlines: deadlines)
  }

  func request(
    _ type: String, _ data: String = #"{"recipe_id":"r","exact":1.10}"#, deadline: Duration = .seconds(60)
  ) async throws -> Command {
    let request = CommandRequest(
      applianceID: appliance, dialect: dialect, type: try EventType(type), data: Array(data.utf8), userID: "anna")
    guard case .accepted(let command) = await desk(deadline).request(request, permission: .own) else { throw DeadlinePassed() }
    return command
  }

  /// The cooker says how it is, and the log has it.
  func say(_ status: String) async throws {
    try await stack.mosquitto.publish("-q", "1", "-t", "epicura/\(appliance)/status", "-m", #"{"status":"\#(status)"}"#)
    _ = try await event { $0.type.rawValue == "appliance:status" && String(decoding: $0.data, as: UTF8.self).contains(status) }
  }

  func answer(_ commandID: String, _ status: String = "acknowledged", message: String = "done") async throws {
    let payload = #"{"command_id":"\#(commandID)","status":"\#(status)","message":"\#(message)"}"#
    try await stack.mosquitto.publish("-q", "1", "-t", "epicura/\(appliance)/command/ack", "-m", payload)
  }

  // MARK: The log

  /// The first record of the appliance's shard, or of another, that matches, once it is there.
  func record(
    shard: Int? = nil, within limit: Duration = .seconds(60), where matches: (LogRecord) -> Bool
  ) async throws -> LogRecord {
    let deadline = ContinuousClock.now + limit
    var last = EventID.zero
    while ContinuousClock.now < deadline {
      let page = try await log.read(shard: shard ?? Bus.shard(of: appliance), after: last, limit: 1000, wait: .seconds(1))
      if let found = page.records.first(where: matches) { return found }
      last = page.records.last?.id ?? last
    }
    throw DeadlinePassed()
  }

  func event(within limit: Duration = .seconds(60), where matches: (Event) -> Bool) async throws -> Event {
    let record = try await record(within: limit) { $0.event.map(matches) ?? false }
    guard let event = record.event else { throw DeadlinePassed() }
    return event
  }

  /// How a command ended: `acknowledged`, or the code of its failure.
  func outcome(of command: Command) async throws -> String {
    let event = try await event {
      [.commandAcknowledged, .commandFailed].contains($0.type) && Self.member("command_id", of: $0) == command.id
    }
    return Self.member("code", of: event) ?? "acknowledged"
  }

  /// The types of all events of a command so far.
  func story(of command: Command) async throws -> [EventType] {
    try await log.read(shard: Bus.shard(of: appliance), after: .zero, limit: 1_000_000, wait: .zero).records.compactMap { record in
      guard case .event(let event) = record.content, Self.member("command_id", of: event) == command.id else { return nil }
      return event.type
    }
  }

  /// Waits until a command is in a replica's hand, and tells in whose; nil when it is past that.
  @discardableResult
  func waitUntilTaken(_ command: Command) async throws -> String? {
    let (stream, redis) = (Bus.commands(Bus.shard(of: appliance), isUrgent: command.isUrgent), try stack.redis)
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      // Each entry is its place, a name, and the command.
      let queue = try await redis.cli("XRANGE", stream, "-", "+").split(separator: "\n").map(String.init)
      guard let line = queue.firstIndex(where: { $0.contains(command.id) }), line >= 2 else { return nil }
      let pending = try await redis.cli("XPENDING", stream, "ingest", queue[line - 2], queue[line - 2], "1")
      if let holder = stack.services.map(\.name).first(where: pending.contains) {
        return try await log.openCommand(command.id, of: appliance)?.isSent == false ? holder : nil
      }
    }
    throw DeadlinePassed()
  }

  static func member(_ name: String, of event: Event) -> String? { (try? JSONObject(parsing: event.data))?.string(name) }

  // MARK: The broker

  /// Topic and payload of the first retained message that subscribing to these topics, in this order, brings.
  func firstRetained(_ topics: [String]) async throws -> String {
    let environment = try stack.mosquitto.clientEnvironment(.admin).map { (Environment.Key(stringLiteral: $0), $1 as String?) }
    return try await Subprocess.run(
      .name("mosquitto_sub"), arguments: Arguments(["-C", "1", "-W", "30", "-v"] + topics.flatMap { ["-t", $0] }),
      environment: .inherit.updating(Dictionary(uniqueKeysWithValues: environment)), output: .string(limit: 1 << 16)
    ).standardOutput.trimmingCharacters(in: .newlines)
  }

  // MARK: The device

  private func subscriber(_ arguments: [String], under tool: [String] = []) throws -> (arguments: Arguments, environment: Environment) {
    let environment = try stack.mosquitto.clientEnvironment(.simulator).map { (Environment.Key(stringLiteral: $0), $1 as String?) }
    let all = tool + ["-V", "5", "-q", "1", "-t", hears, "-T", says] + arguments
    return (Arguments(all), .inherit.updating(Dictionary(uniqueKeysWithValues: environment)))
  }

  /// Connects a device once and lets it go, so that the broker keeps its session and queues for it.
  func leaveSession(of client: String) async throws {
    let (arguments, environment) = try subscriber(["-c", "-i", client, "-E"])
    _ = try await Subprocess.run(.name("mosquitto_sub"), arguments: arguments, environment: environment, output: .discarded)
  }

  /// Runs `body` beside a device that is `mosquitto_sub`, once it is subscribed.
  func withDevice(_ extra: [String] = [], _ body: (AsyncStream<Received>) async throws -> Void) async throws {
    let (received, tell) = AsyncStream.makeStream(of: Received.self)
    let (subscribed, confirm) = AsyncStream.makeStream(of: Void.self)
    // With `-d` it tells when its subscription stands, at once only when it is made to write line by line.
    let (arguments, environment) = try subscriber(extra + ["-d", "-F", "received %r %t %p"], under: ["-oL", "mosquitto_sub"])
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        _ = try await Subprocess.run(
          .name("stdbuf"), arguments: arguments, environment: environment, input: .none, output: .sequence,
          error: .combinedWithOutput
        ) { execution in
          for try await text in execution.standardOutput.strings() {
            let line = text.trimmingCharacters(in: .newlines)
            if line.hasPrefix("Subscribed") { confirm.yield() }
            let parts = line.split(separator: " ", maxSplits: 3)
            guard parts.count == 4, parts[0] == "received" else { continue }
            tell.yield(Received(topic: String(parts[2]), isRetained: parts[1] == "1", payload: String(parts[3])))
          }
        }
      }
      _ = try await next(1, of: subscribed)
      try await body(received)
      group.cancelAll()
    }
  }
}

extension LogRecord {
  /// With its place in the log.
  var event: Event? {
    guard case .event(var event) = content else { return nil }
    event.id = id
    return event
  }
}
