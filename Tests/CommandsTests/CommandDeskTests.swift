import EventLog
import ForwardingLog
import Models
import Synchronization
import Testing

@testable import Commands

@Suite struct `The desk that accepts commands` {
  private let log = MemoryEventLog()
  private let appliance: ApplianceID
  private let now = Timestamp.now()

  init() throws { appliance = try ApplianceID("EPIC-001") }

  private func say(_ status: String) async throws {
    let event = Event(
      type: try EventType("appliance:status"), applianceID: appliance, timestamp: now, data: Array(#"{"status":"\#(status)"}"#.utf8))
    _ = try await log.append([LogEntry(.event(event), order: now)])
  }

  /// The events of commands in the log.
  private func events() async throws -> [Event] {
    let records = try await log.read(shard: Bus.shard(of: appliance), after: .zero, limit: 1000, wait: .zero).records
    return records.compactMap { if case .event(let event) = $0.content, event.type.rawValue.hasPrefix("command:") { event } else { nil } }
  }

  private func desk(_ log: (any EventLog)? = nil) -> CommandDesk {
    let count = Mutex(0)
    return CommandDesk(log: log ?? self.log) {
      count.withLock {
        $0 += 1
        return "c-\($0)"
      }
    }
  }

  private func ask(
    _ desk: CommandDesk, _ type: String = "cooking:start", _ data: String = #"{"recipe_id":"r"}"#, dialect: CommandDialect = .epicura,
    permission: Permission = .own
  ) async throws -> CommandDesk.Answer {
    await desk.request(
      try `What a command must be`.request(type, data, dialect: dialect), permission: permission, now: now)
  }

  private func failure(_ answer: CommandDesk.Answer) throws -> CommandFailure {
    guard case .failed(let failure) = answer else { throw Unexpected(what: "\(answer)") }
    return failure
  }

  private struct Unexpected: Error { let what: String }

  @Test(arguments: ["online", "cooking", "error", "updating"])
  func `an accepted command is opened and told in one step`(status: String) async throws {
    try await say(status)
    guard case .accepted(let command) = try await ask(desk()) else { return #expect(Bool(false)) }
    let told = try await events()
    #expect(told.compactMap { Command(requestedBy: $0) } == [command])
    #expect(
      String(decoding: told[0].data, as: UTF8.self)
        == #"{"command_id":"c-1","type":"cooking:start","expires_at":"\#(command.expiresAt)","user_id":"anna","request_id":"r-1","data":{"recipe_id":"r"}}"#
    )
    let open = try #require(await log.openCommand("c-1", of: appliance))
    #expect(!open.isSent && !open.isUrgent && open.expiresAt == command.expiresAt)
  }

  @Test func `a refusal that concerns the sender alone is in no log`() async throws {
    try await say("online")
    #expect(try failure(await ask(desk(), permission: .watch)).code == .notPermitted)
    #expect(try failure(await ask(desk(), "cooking:start", "{}")).code == .invalidCommand)
    #expect(try await events().isEmpty)
  }

  @Test(arguments: ["offline", nil])
  func `an appliance that is gone is told at once, and it is history`(status: String?) async throws {
    if let status { try await say(status) }
    #expect(try failure(await ask(desk())).code == .applianceOffline)
    let told = try await events()
    #expect(told.map(\.type) == [.commandRequested, .commandFailed])
    #expect(
      String(decoding: told[1].data, as: UTF8.self)
        == #"{"command_id":"c-1","type":"cooking:start","code":"APPLIANCE_OFFLINE","message":"The appliance is not connected; nothing was sent to it."}"#
    )
    #expect(try await log.openCommands(of: appliance).isEmpty)
  }

  @Test func `a stop is tried whatever the last status says`() async throws {
    try await say("offline")
    guard case .accepted(let command) = try await ask(desk(), "cooking:stop", "{}", permission: .watch) else {
      return #expect(Bool(false))
    }
    #expect(try await log.openCommands(of: appliance).map(\.id) == [command.id])
  }

  @Test func `a stop that comes again by the same name is a command of its own, and both are open`() async throws {
    let desk = desk()
    for _ in 0..<2 {
      guard case .accepted = try await ask(desk, "cooking:stop", "{}") else { return #expect(Bool(false)) }
    }
    #expect(try await log.openCommands(of: appliance).map(\.id).sorted() == ["c-1", "c-2"])
    let names = try await events().compactMap { try? JSONObject(parsing: $0.data).string("request_id") }
    #expect(names == ["r-1", "r-1"])
  }

  @Test func `an appliance without a dialect need not tell its status`() async throws {
    guard case .accepted = try await ask(desk(), "door.open", "{}", dialect: .generic) else { return #expect(Bool(false)) }
    try await say("offline")
    #expect(try failure(await ask(desk(), "door.open", "{}", dialect: .generic)).code == .applianceOffline)
  }

  @Test func `too many commands without an outcome are refused, and a stop still finds room`() async throws {
    try await say("online")
    let desk = desk()
    for _ in 0..<LogLimits().openCommandsPerAppliance {
      guard case .accepted = try await ask(desk) else { return #expect(Bool(false)) }
    }
    #expect(try failure(await ask(desk)).code == .tooManyCommands)
    guard case .accepted = try await ask(desk, "cooking:stop") else { return #expect(Bool(false)) }
  }

  @Test func `a command whose acceptance was taken but not confirmed is opened once`() async throws {
    try await say("online")
    let forgetful = ForgetfulLog(log, lostAnswers: 2)
    guard case .accepted = try await ask(desk(forgetful)) else { return #expect(Bool(false)) }
    #expect(try await events().count == 1)
    #expect(try await log.openCommands(of: appliance).count == 1)
  }

  @Test func `a log that never answers makes it unavailable`() async throws {
    try await say("online")
    #expect(try await ask(desk(ForgetfulLog(log, lostAnswers: .max))) == .unavailable(commandID: "c-1"))
  }

  @Test func `an expired command is settled once, by whoever is first`() async throws {
    try await say("online")
    guard case .accepted(let command) = try await ask(desk()) else { return #expect(Bool(false)) }
    for _ in 0..<2 { #expect(await desk().expire(command) == nil) }
    let told = try await events()
    #expect(told.map(\.type) == [.commandRequested, .commandFailed])
    #expect(try JSONObject(parsing: told[1].data).string("code") == "COMMAND_TIMEOUT")
  }

  @Test func `when the log cannot be told of an expiry, the sender is to be told by the caller`() async throws {
    try await say("online")
    guard case .accepted(let command) = try await ask(desk()) else { return #expect(Bool(false)) }
    let failure = try #require(await desk(ForgetfulLog(log, lostAnswers: .max)).expire(command))
    #expect(failure.code == .timeout && failure.commandID == command.id)
  }

  @Test func `ids are long and random`() {
    let ids = Set((0..<1000).map { _ in CommandDesk.randomID() })
    #expect(ids.count == 1000 && ids.allSatisfy { $0.utf8.count == 32 })
  }
}

/// A log that takes everything in, but whose first answers to appends are lost.
private final class ForgetfulLog: ForwardingLog {
  struct Lost: Error {}

  let forwardsTo: MemoryEventLog
  private let lostAnswers: Mutex<Int>

  init(_ log: MemoryEventLog, lostAnswers: Int) {
    forwardsTo = log
    self.lostAnswers = Mutex(lostAnswers)
  }

  func append(_ entries: [LogEntry]) async throws -> [AppendOutcome] {
    let outcomes = try await forwardsTo.append(entries)
    let isLost = lostAnswers.withLock { left in
      left -= 1
      return left >= 0
    }
    if isLost { throw Lost() }
    return outcomes
  }
}
