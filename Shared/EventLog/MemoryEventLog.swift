package import Models
internal import Synchronization

/// The log in this process's memory, for tests of what stands on it. It keeps the same contract as `RedisEventLog`, and is bounded by nothing.
package final class MemoryEventLog: EventLog {
  private let state: Mutex<MemoryLogState>

  /// `now` is the log's clock, from which it makes ids.
  package init(limits: LogLimits = LogLimits(), now: @escaping @Sendable () -> Timestamp = { .now() }) {
    state = Mutex(MemoryLogState(limits: limits, now: now))
  }

  /// What hears each message that is published, in order, on the appending task; it must not append itself.
  package func listen(_ listener: @escaping @Sendable (_ channel: String, _ message: [UInt8]) -> Void) {
    state.withLock { $0.listeners.append(listener) }
  }

  /// Loses everything, as a Redis does that was flushed.
  package func flush() { state.withLock { $0.flush() } }

  package func append(_ entries: [LogEntry]) async throws -> [AppendOutcome] {
    let (outcomes, waiting) = state.withLock { ($0.append(entries), $0.takeWaiting()) }
    for waiter in waiting { waiter.yield() }
    return outcomes
  }

  package func read(shard: Int, after: EventID, limit: Int, wait: Duration) async throws -> LogPage {
    let (page, appended) = state.withLock { state in
      let page = state.page(shard: shard, after: after, limit: limit)
      return (page, page.records.isEmpty && wait > .zero ? state.nextAppend() : nil)
    }
    guard let appended else { return page }
    await withTaskGroup { group in
      group.addTask { for await _ in appended { return } }
      group.addTask { try? await Task.sleep(for: wait) }
      await group.next()
      group.cancelAll()
    }
    try Task.checkCancellation()
    return state.withLock { $0.page(shard: shard, after: after, limit: limit) }
  }

  package func trim(shard: Int, through last: EventID) async throws {
    state.withLock { $0.shards[shard].records.removeAll { $0.id <= last } }
  }

  package func state(of appliance: ApplianceID) async throws -> [Event] {
    state.withLock { $0.appliances[appliance]?.newest.values.map(\.event).sorted { ($0.id ?? .zero) < ($1.id ?? .zero) } ?? [] }
  }

  package func history(of appliance: ApplianceID, after: EventID) async throws -> EventHistory {
    state.withLock { $0.history(of: appliance, after: after) }
  }

  package func openCommand(_ id: String, of appliance: ApplianceID) async throws -> OpenCommand? {
    state.withLock { $0.appliances[appliance]?.open[id] }
  }

  package func openCommands(of appliance: ApplianceID) async throws -> [OpenCommand] {
    state.withLock { $0.appliances[appliance]?.open.values.map { $0 } ?? [] }
  }

  package func overdueCommands(shard: Int, now: Timestamp, limit: Int) async throws -> [OpenCommand] {
    let open = state.withLock { $0.appliances.values.flatMap(\.open.values) }
    let overdue = open.filter { Bus.shard(of: $0.applianceID) == shard && $0.expiresAt <= now }
    return Array(overdue.sorted { $0.expiresAt < $1.expiresAt }.prefix(limit))
  }

  package func usage() async throws -> LogUsage { LogUsage(used_bytes: 0, limit_bytes: nil) }

  package func publish(_ message: [UInt8], to channel: String) async throws {
    let listeners = state.withLock { $0.listeners }
    for listener in listeners { listener(channel, message) }
  }
}

private struct MemoryLogState {
  struct Shard {
    var records: [LogRecord] = []
    var epoch = ""
    var lastID = EventID.zero
    var windows: [LogEntry.Window: Window] = [:]
  }

  struct Window {
    var seen: Set<[UInt8]> = []
    var seenBefore: Set<[UInt8]> = []
  }

  struct Appliance {
    var newest: [EventType: (order: Timestamp, event: Event)] = [:]
    var history: [Event] = []
    var wasTrimmed = false
    var open: [String: OpenCommand] = [:]
  }

  let limits: LogLimits
  let now: @Sendable () -> Timestamp
  var shards = Array(repeating: Shard(), count: Bus.shardCount)
  var appliances: [ApplianceID: Appliance] = [:]
  var listeners: [@Sendable (String, [UInt8]) -> Void] = []
  private var waiting: [AsyncStream<Void>.Continuation] = []
  private var lives = 0

  init(limits: LogLimits, now: @escaping @Sendable () -> Timestamp) {
    self.limits = limits
    self.now = now
  }

  mutating func flush() {
    shards = Array(repeating: Shard(), count: Bus.shardCount)
    appliances = [:]
  }

  mutating func nextAppend() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    waiting.append(continuation)
    return stream
  }

  mutating func takeWaiting() -> [AsyncStream<Void>.Continuation] {
    defer { waiting = [] }
    return waiting
  }

  func page(shard: Int, after: EventID, limit: Int) -> LogPage {
    let shard = shards[shard]
    return LogPage(
      records: Array(shard.records.lazy.filter { $0.id > after }.prefix(limit)), epoch: shard.epoch, lastID: shard.lastID,
      time: EventID(milliseconds: UInt64(clamping: now().microseconds / 1000), sequence: 0).receivedAt)
  }

  func history(of appliance: ApplianceID, after: EventID) -> EventHistory {
    let known = appliances[appliance] ?? Appliance()
    let oldest = known.history.first?.id ?? .zero
    let begun = UInt64(shards[Bus.shard(of: appliance)].epoch.prefix { $0 != ":" }) ?? .max
    let isYoung = after.receivedAt + limits.historyLifetime > now()
    let isKnown = after <= shards[Bus.shard(of: appliance)].lastID
    return EventHistory(
      events: known.history.filter { ($0.id ?? .zero) > after },
      isComplete: (!known.wasTrimmed || oldest <= after) && after.milliseconds >= begun && isYoung && isKnown)
  }

  mutating func append(_ entries: [LogEntry]) -> [AppendOutcome] {
    entries.map { entry in
      let shard = entry.shard
      begin(shard)
      if let fingerprint = entry.fingerprint, entry.mayBeDuplicate, hasSeen(fingerprint, shard, entry.window) { return .duplicate }
      if let step = entry.step, case .event(let event) = entry.content, !advance(step, of: event.applianceID) { return .refused }
      if let fingerprint = entry.fingerprint { remember(fingerprint, shard, entry.window) }
      let id = nextID(shard)
      let isLate = take(entry, id)
      shards[shard].records.append(LogRecord(id: id, content: entry.content, isLate: isLate))
      return .appended(id, isLate: isLate)
    }
  }

  private mutating func begin(_ shard: Int) {
    if shards[shard].epoch.isEmpty {
      lives += 1
      shards[shard].epoch = "\(now().microseconds / 1000):\(lives)"
    }
  }

  private mutating func advance(_ step: CommandStep, of name: ApplianceID) -> Bool {
    var appliance = appliances[name] ?? Appliance()
    defer { appliances[name] = appliance }
    switch step {
    case .open(let command):
      let openMax = limits.openCommandsPerAppliance * (command.isUrgent ? 2 : 1)
      guard appliance.open.count < openMax, appliance.open[command.id] == nil else { return false }
      appliance.open[command.id] = OpenCommand(
        id: command.id, applianceID: name, type: command.type, expiresAt: command.expiresAt, isUrgent: command.isUrgent, isSent: false)
    case .sent(let id):
      guard let known = appliance.open[id], !known.isSent else { return false }
      appliance.open[id] = OpenCommand(
        id: id, applianceID: name, type: known.type, expiresAt: known.expiresAt, isUrgent: known.isUrgent, isSent: true)
    case .close(let id):
      guard appliance.open.removeValue(forKey: id) != nil else { return false }
    }
    return true
  }

  private func hasSeen(_ fingerprint: [UInt8], _ shard: Int, _ window: LogEntry.Window) -> Bool {
    guard let window = shards[shard].windows[window] else { return false }
    return window.seen.contains(fingerprint) || window.seenBefore.contains(fingerprint)
  }

  private mutating func remember(_ fingerprint: [UInt8], _ shard: Int, _ name: LogEntry.Window) {
    var window = shards[shard].windows[name] ?? Window()
    window.seen.insert(fingerprint)
    if window.seen.count >= limits.window { window = Window(seenBefore: window.seen) }
    shards[shard].windows[name] = window
  }

  private mutating func nextID(_ shard: Int) -> EventID {
    let last = shards[shard].lastID
    let milliseconds = UInt64(clamping: now().microseconds / 1000)
    let id =
      milliseconds > last.milliseconds
      ? EventID(milliseconds: milliseconds, sequence: 0) : EventID(milliseconds: last.milliseconds, sequence: last.sequence + 1)
    shards[shard].lastID = id
    return id
  }

  /// Whether the entry is a late event.
  private mutating func take(_ entry: LogEntry, _ id: EventID) -> Bool {
    guard case .event(var event) = entry.content else { return false }
    event.id = id
    var appliance = appliances[event.applianceID] ?? Appliance()
    let known = appliance.newest[event.type]
    let isLate = known.map { entry.order < $0.order } ?? false
    if !isLate, known != nil || appliance.newest.count < limits.typesPerAppliance { appliance.newest[event.type] = (entry.order, event) }
    if !event.isTelemetry {
      appliance.history.append(event)
      if appliance.history.count > limits.history {
        appliance.history.removeFirst()
        appliance.wasTrimmed = true
      }
    }
    appliances[event.applianceID] = appliance
    for listener in listeners { listener(Bus.live(event.applianceID), event.encoded()) }
    return isLate
  }
}
