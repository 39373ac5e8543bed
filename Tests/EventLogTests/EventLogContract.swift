import EventLog
import Models
import Testing

/// What every `EventLog` promises, checked on a log that nobody else uses. Appliances are named anew in each check.
struct EventLogContract: Sendable {
  let log: any EventLog
  /// The limits that the log was made with.
  let limits: LogLimits
  /// Makes the log forget everything, as a flushed Redis does.
  let flush: @Sendable () async throws -> Void
  /// Messages that were published since the last call, at least `count` of them, in order.
  let published: @Sendable (_ count: Int) async throws -> [(channel: String, message: [UInt8])]

  private let base = Timestamp.now()

  func event(_ appliance: String, _ type: String, _ number: Int = 0) throws -> Event {
    Event(
      type: try EventType(type), applianceID: try ApplianceID(appliance), timestamp: base + .milliseconds(number),
      data: Array("{\"n\":\(number),\"exact\":1.10}".utf8))
  }

  func entry(
    _ event: Event, fingerprint: UInt8? = nil, again: Bool = false, window: LogEntry.Window = .writer
  ) -> LogEntry {
    LogEntry(
      .event(event), fingerprint: fingerprint.map { Array(repeating: $0, count: 16) }, mayBeDuplicate: again, window: window,
      order: event.timestamp)
  }

  func all(_ shard: Int) async throws -> [LogRecord] {
    try await log.read(shard: shard, after: .zero, limit: 100_000, wait: .zero).records
  }

  private func id(_ outcome: AppendOutcome) throws -> EventID {
    guard case .appended(let id, _) = outcome else { throw Unexpected(what: "\(outcome)") }
    return id
  }

  /// Every appliance that the checks name.
  static let appliances =
    (0..<7).map { "order-\($0)" } + ["live-1", "twice", "newest", "many-types", "history", "pages", "trimmed", "lost", "commanded"]

  struct Unexpected: Error { let what: String }

  func check() async throws {
    try await keepsOrderAndContent()
    try await tellsWhoListens()
    try await refusesDuplicatesOnlyWhereAsked()
    try await keepsTheNewestAndFlagsTheLate()
    try await boundsTheTypesOfAnAppliance()
    try await keepsDiscreteEventsForRepair()
    try await keepsDeadLetters()
    try await readsInPagesAndWaits()
    try await trims()
    try await givesEachCommandOneOutcome()
    try await boundsOpenCommands()
    try await beginsAnewAfterALoss()
  }

  private func keepsOrderAndContent() async throws {
    let events = try (0..<300).map { try event("order-\($0 % 7)", $0 % 2 == 0 ? "cooking:progress" : "cooking:error", $0) }
    let outcomes = try await log.append(events.map { entry($0) })
    #expect(outcomes.count == events.count)
    for name in Set(events.map(\.applianceID)) {
      let sent = events.filter { $0.applianceID == name }
      let stored = try await all(Bus.shard(of: name)).compactMap { record -> Event? in
        guard case .event(let event) = record.content, event.applianceID == name else { return nil }
        return event
      }
      #expect(stored.map(\.data) == sent.map(\.data))
      #expect(stored.map(\.type) == sent.map(\.type))
    }
    for shard in 0..<Bus.shardCount {
      let ids = try await all(shard).map(\.id)
      #expect(ids == ids.sorted() && Set(ids).count == ids.count)
    }
    #expect(try await log.append([]).isEmpty)
    _ = try await published(events.count)
  }

  private func tellsWhoListens() async throws {
    var first = try event("live-1", "cooking:progress", 1)
    first.extras = Array(",\"seq\":5".utf8)
    let outcomes = try await log.append([entry(first), entry(try event("live-1", "cooking:error", 2))])
    let messages = try await published(2)
    #expect(messages.map(\.channel) == ["ws:live-1", "ws:live-1"])
    first.id = try id(outcomes[0])
    #expect(String(decoding: messages[0].message, as: UTF8.self) == String(decoding: first.encoded(), as: UTF8.self))
    #expect(try Event(parsing: messages[1].message).id == id(outcomes[1]))
  }

  private func refusesDuplicatesOnlyWhereAsked() async throws {
    let event = try event("twice", "cooking:error")
    let shard = Bus.shard(of: event.applianceID)
    let before = try await all(shard).count
    let outcomes = try await log.append([
      entry(event, fingerprint: 1), entry(event, fingerprint: 1, again: true), entry(event, fingerprint: 2, again: true),
      entry(event, fingerprint: 1),
      entry(event), entry(event, again: true),
    ])
    #expect(outcomes.map { $0 == .duplicate } == [false, true, false, false, false, false])
    #expect(try await log.append([entry(event, fingerprint: 1, again: true)]) == [.duplicate])
    #expect(try await all(shard).count == before + 5)
    #expect(try await log.append([entry(event, fingerprint: 1, again: true, window: .everyone)]) != [.duplicate], "windows are apart")
    #expect(try await log.append([entry(event, fingerprint: 1, again: true, window: .everyone)]) == [.duplicate])
    // The window is bounded, but never forgets what is younger than one half of it.
    for batch in 0..<limits.window / 64 {
      let fillers = (0..<64).map { index in
        var filler = entry(event, again: true)
        filler.fingerprint = [9, UInt8(batch & 255), UInt8(batch >> 8), UInt8(index)] + Array(repeating: 0, count: 12)
        return filler
      }
      _ = try await log.append(fillers)
    }
    #expect(try await log.append([entry(event, fingerprint: 1, again: true)]) == [.duplicate])
    _ = try await published(limits.window / 64 * 64 + 6)
  }

  private func keepsTheNewestAndFlagsTheLate() async throws {
    let appliance = try ApplianceID("newest")
    let outcomes = try await log.append([
      entry(try event("newest", "appliance:status", 1)), entry(try event("newest", "cooking:progress", 5)),
      entry(try event("newest", "cooking:progress", 3)), entry(try event("newest", "appliance:status", 9)),
    ])
    #expect(outcomes.map { if case .appended(_, isLate: true) = $0 { true } else { false } } == [false, false, true, false])
    #expect(try await log.append([entry(try event("newest", "appliance:status", 8))]).first.map(isLate) == true)
    let state = try await log.state(of: appliance)
    #expect(state.map { "\($0.type) \($0.data.count)" }.count == 2)
    #expect(state.map(\.type.rawValue) == ["cooking:progress", "appliance:status"])
    #expect(state.map { String(decoding: $0.data, as: UTF8.self) } == [#"{"n":5,"exact":1.10}"#, #"{"n":9,"exact":1.10}"#])
    #expect(state.allSatisfy { $0.id != nil })
    let late = try await all(Bus.shard(of: appliance)).filter(\.isLate)
    #expect(late.count == 2, "late events are stored all the same")
    #expect(try await log.state(of: try ApplianceID("nobody")).isEmpty)
    _ = try await published(5)
  }

  private func isLate(_ outcome: AppendOutcome) -> Bool { if case .appended(_, isLate: true) = outcome { true } else { false } }

  private func boundsTheTypesOfAnAppliance() async throws {
    let entries = try (0..<limits.typesPerAppliance + 10).map { entry(try event("many-types", "type-\($0)", $0)) }
    // One call may carry all of them, so the bound may be overrun by one call; the next call is held to it.
    _ = try await log.append(entries)
    let kept = try await log.state(of: try ApplianceID("many-types")).count
    #expect(kept >= limits.typesPerAppliance)
    _ = try await log.append([entry(try event("many-types", "one-more", 0))])
    #expect(try await log.state(of: try ApplianceID("many-types")).count == kept)
    _ = try await published(entries.count + 1)
  }

  private func keepsDiscreteEventsForRepair() async throws {
    let appliance = try ApplianceID("history")
    let outcomes = try await log.append(
      try (0..<6).map { entry(try event("history", $0 % 2 == 0 ? "cooking:error" : "cooking:progress", $0)) })
    let ids = try outcomes.map(id)
    let history = try await log.history(of: appliance, after: ids[0])
    #expect(history.events.compactMap(\.id) == [ids[2], ids[4]])
    #expect(history.isComplete)
    #expect(try await log.history(of: appliance, after: ids[5]).events.isEmpty)
    let future = EventID(milliseconds: ids[5].milliseconds + 1_000_000, sequence: 0)
    #expect(try await !log.history(of: appliance, after: future).isComplete, "this log has not given that id")
    #expect(try await !log.history(of: appliance, after: .zero).isComplete, "nothing is known of what was before this log")
    let more = try await log.append(try (0..<limits.history).map { entry(try event("history", "cooking:error", $0)) })
    let short = try await log.history(of: appliance, after: ids[0])
    #expect(short.events.count == limits.history)
    #expect(!short.isComplete)
    #expect(try await log.history(of: appliance, after: try id(more[0])).isComplete)
    _ = try await published(6 + limits.history)
  }

  private func keepsDeadLetters() async throws {
    let letter = DeadLetter(topic: "epicura/\u{1F600}/x y", payload: [0, 255, 10, 13, 34], reason: "not JSON", receivedAt: base)
    let outcomes = try await log.append([LogEntry(.deadLetter(letter), order: base)])
    let record = try await all(Bus.shard(of: letter.topic.utf8)).last
    #expect(record?.content == .deadLetter(letter))
    #expect(try record?.id == id(outcomes[0]))
  }

  private func readsInPagesAndWaits() async throws {
    let appliance = try ApplianceID("pages")
    let shard = Bus.shard(of: appliance)
    let start = try await log.read(shard: shard, after: .zero, limit: 100_000, wait: .zero).lastID
    _ = try await log.append(try (0..<5).map { entry(try event("pages", "cooking:progress", $0)) })
    let first = try await log.read(shard: shard, after: start, limit: 2, wait: .seconds(5))
    let second = try await log.read(shard: shard, after: first.records[1].id, limit: 100, wait: .seconds(5))
    #expect(first.records.count == 2 && second.records.count == 3)
    #expect(!first.epoch.isEmpty && first.epoch == second.epoch)
    #expect(second.lastID == second.records.last?.id)
    let end = second.lastID
    #expect(try await log.read(shard: shard, after: end, limit: 10, wait: .milliseconds(20)).records.isEmpty)
    async let waiting = log.read(shard: shard, after: end, limit: 10, wait: .seconds(10))
    _ = try await log.append([entry(try event("pages", "cooking:progress", 9))])
    #expect(try await waiting.records.count == 1)
    _ = try await published(6)
  }

  private func trims() async throws {
    let appliance = try ApplianceID("trimmed")
    let shard = Bus.shard(of: appliance)
    let outcomes = try await log.append(try (0..<3).map { entry(try event("trimmed", "cooking:error", $0)) })
    let before = try await log.read(shard: shard, after: .zero, limit: 100_000, wait: .zero)
    try await log.trim(shard: shard, through: try id(outcomes[1]))
    let after = try await log.read(shard: shard, after: .zero, limit: 100_000, wait: .zero)
    #expect(after.records.map(\.id) == [try id(outcomes[2])])
    #expect(after.lastID == before.lastID && after.epoch == before.epoch)
    try await log.trim(shard: shard, through: before.lastID)
    let empty = try await log.read(shard: shard, after: .zero, limit: 10, wait: .zero)
    #expect(empty.records.isEmpty && empty.lastID == before.lastID, "an empty shard still knows its last id")
    #expect(try await log.state(of: appliance).count == 1)
    _ = try await published(3)
  }

  private func command(_ id: String, _ type: String = "cooking:start", deadline: Duration = .seconds(10)) throws -> Command {
    Command(id: id, applianceID: try ApplianceID("commanded"), type: try EventType(type), issuedAt: base, expiresAt: base + deadline)
  }

  private func opening(_ command: Command) -> LogEntry {
    LogEntry(.event(command.requested(by: "somebody", requestID: nil)), order: base, step: .open(command))
  }

  private func step(_ type: EventType, _ step: CommandStep) throws -> LogEntry {
    LogEntry(.event(Event(type: type, applianceID: try ApplianceID("commanded"), timestamp: base)), order: base, step: step)
  }

  private func givesEachCommandOneOutcome() async throws {
    let (appliance, shard) = (try ApplianceID("commanded"), Bus.shard(of: try ApplianceID("commanded")))
    let (first, stop) = (try command("first one"), try command("stop", "cooking:stop", deadline: .seconds(5)))
    var early = try step(.commandAcknowledged, .close(id: first.id))
    (early.fingerprint, early.mayBeDuplicate) = (Array(repeating: 200, count: 16), true)
    #expect(
      try await log.append([early, early]) == [.refused, .refused], "nobody can close what was never opened, and no trace is left of it")
    _ = try id(await log.append([opening(first)])[0])
    #expect(try await log.append([opening(first)]) == [.refused], "an id is opened once")
    _ = try id(await log.append([opening(stop)])[0])
    let open = OpenCommand(
      id: first.id, applianceID: appliance, type: first.type,
      expiresAt: first.expiresAt,
      isUrgent: false, isSent: false)
    #expect(try await log.openCommand(first.id, of: appliance) == open)
    #expect(try await log.openCommand("unknown", of: appliance) == nil)
    #expect(try await log.overdueCommands(shard: shard, now: base, limit: 10).isEmpty)
    #expect(try await log.overdueCommands(shard: shard, now: base + .seconds(6), limit: 10).map(\.id) == [stop.id])
    #expect(try await log.overdueCommands(shard: shard, now: base + .seconds(11), limit: 10).map(\.id) == [stop.id, first.id])
    #expect(try await log.overdueCommands(shard: shard, now: base + .seconds(11), limit: 1).map(\.id) == [stop.id])

    _ = try id(await log.append([step(.commandSent, .sent(id: first.id))])[0])
    #expect(try await log.openCommand(first.id, of: appliance)?.isSent == true)
    #expect(try await log.append([step(.commandSent, .sent(id: first.id))]) == [.refused], "it is sent once")
    // In one call: the first to close wins, and order holds around it.
    let outcomes = try await log.append([
      step(.commandAcknowledged, .close(id: first.id)), step(.commandFailed, .close(id: first.id)),
      entry(event("commanded", "cooking:started")), step(.commandSent, .sent(id: first.id)),
    ])
    #expect(outcomes.map { $0 == .refused } == [false, true, false, true])
    #expect(try await log.openCommands(of: appliance).map(\.id) == [stop.id])
    _ = try id(await log.append([step(.commandFailed, .close(id: stop.id))])[0])
    #expect(try await log.overdueCommands(shard: shard, now: base + .seconds(60), limit: 10).isEmpty)
    #expect(try await published(6).count == 6)
  }

  private func boundsOpenCommands() async throws {
    let appliance = try ApplianceID("commanded")
    let starts = try (0...limits.openCommandsPerAppliance).map { try command("start-\($0)") }
    #expect(try await log.append(starts.map(opening)).map { $0 == .refused }.firstIndex(of: true) == limits.openCommandsPerAppliance)
    let stop = try command("stop when full", "cooking:stop")
    _ = try id(await log.append([opening(stop)])[0])
    let open = try await log.openCommands(of: appliance)
    #expect(open.count == limits.openCommandsPerAppliance + 1 && open.count(where: \.isUrgent) == 1)
    let closed = try await log.append(open.map { try step(.commandFailed, .close(id: $0.id)) })
    #expect(!closed.contains(.refused))
    _ = try await published(2 * open.count)
  }

  private func beginsAnewAfterALoss() async throws {
    let appliance = try ApplianceID("lost")
    let shard = Bus.shard(of: appliance)
    let old = try id(try await log.append([entry(try event("lost", "cooking:error"), fingerprint: 7)])[0])
    let epoch = try await log.read(shard: shard, after: .zero, limit: 1, wait: .zero).epoch
    try await flush()
    let gone = try await log.read(shard: shard, after: .zero, limit: 10, wait: .zero)
    #expect(gone.records.isEmpty && gone.epoch.isEmpty && gone.lastID == .zero)
    _ = try await log.append([entry(try event("lost", "cooking:error"), fingerprint: 7, again: true)])
    let anew = try await log.read(shard: shard, after: .zero, limit: 10, wait: .zero)
    #expect(anew.records.count == 1 && anew.epoch != epoch)
    #expect(try await !log.history(of: appliance, after: EventID(milliseconds: old.milliseconds - 1, sequence: 0)).isComplete)
    _ = try await published(2)
  }
}
