import EventLog
import Models
import Testing

@testable import Gateway

/// A client that subscribes, is lost and comes back at random moments, on replicas that lag behind the log at random.
@Suite struct RecoveryPropertyTests {
  @Test(arguments: 0..<300)
  func `Every discrete event comes once and in order, and the newest telemetry`(seed: UInt64) throws {
    var world = RecoveryWorld(seed: seed, historyMax: .max)
    for _ in 0..<400 { try world.step() }
    try world.settle()
    #expect(world.discrete == world.owed)
    #expect(world.telemetry.sorted() == Array(Set(world.telemetry)).sorted(), "no telemetry twice")
    for (type, newest) in world.newestOwed { #expect(world.newestTold[type] == newest || newest <= world.resumedFrom) }
    #expect(!world.wasToldOfLoss)
  }

  @Test(arguments: 0..<300)
  func `A loss that the log cannot mend is told, and nothing comes twice or out of order`(seed: UInt64) throws {
    var world = RecoveryWorld(seed: seed, historyMax: 4)
    for _ in 0..<400 { try world.step() }
    try world.settle()
    #expect(world.discrete == world.owed)
  }
}

/// A log, two replicas, one client; every step of each may come before or after any step of the others.
private struct RecoveryWorld {
  /// The client's connection.
  private struct Connection {
    var replica: Int
    var subscriptions = EpicuraSubscriptions(countMax: 1, answerTimeout: .seconds(10))
    var gate: SubscriptionGate?
    var position = EventID.zero
    /// What is under way, first to last.
    var pending: [Step] = []
  }

  private enum Step {
    case begin, permit
    case join
    case readState(since: EventID?)
    case readHistory([Event], since: EventID?)
    case answer(LogReading)
    case deliver(Recovery)
    case drain
  }

  private let appliance = Samples.appliance
  private let historyMax: Int
  private var generator: SeededGenerator
  private var log: [Event] = []
  /// How many of the log's events have gone through each replica.
  private var progress = [0, 0]
  private var connection: Connection?
  private var last: EventID?

  private(set) var discrete: [EventID] = []
  private(set) var telemetry: [EventID] = []
  private(set) var newestTold: [EventType: EventID] = [:]
  private(set) var wasToldOfLoss = false
  /// What the client named when it came back last. It may not have been told telemetry that is older, if it was lost while it was told of its past.
  private(set) var resumedFrom = EventID.zero
  /// Behind this the client is owed everything, but for what it was told to be lost.
  private var begun: EventID?
  private var lost: Set<EventID> = []

  init(seed: UInt64, historyMax: Int) {
    self.historyMax = historyMax
    generator = SeededGenerator(seed: seed)
  }

  var owed: [EventID] {
    guard let begun else { return [] }
    return log.filter { !$0.isTelemetry }.compactMap(\.id).filter { $0 > begun && !lost.contains($0) }
  }

  var newestOwed: [EventType: EventID] {
    guard let begun else { return [:] }
    return Dictionary(
      log.filter { $0.isTelemetry && ($0.id ?? .zero) > begun }.map { ($0.type, $0.id ?? .zero) }, uniquingKeysWith: max)
  }

  mutating func step() throws {
    switch Int.random(in: 0..<100, using: &generator) {
    case ..<25: append()
    case ..<60: deliver(to: Int.random(in: 0...1, using: &generator))
    case ..<97: try proceed()
    default: connection = nil
    }
  }

  /// Lets everything come to its end without another loss.
  mutating func settle() throws {
    for _ in 0..<50 + log.count {
      for replica in [0, 1] { deliver(to: replica) }
      for _ in 0..<8 { try proceed() }
    }
  }

  private mutating func append() {
    let kind = ["cooking:error", "cooking:complete", "cooking:progress", "telemetry.a"].randomElement(using: &generator) ?? ""
    log.append(Samples.event(kind, UInt64(log.count + 1)))
  }

  private var discreteLog: [Event] { log.filter { !$0.isTelemetry } }

  private mutating func deliver(to replica: Int) {
    guard progress[replica] < log.count else { return }
    let event = log[progress[replica]]
    progress[replica] += 1
    guard connection?.replica == replica, connection?.gate != nil else { return }
    if connection?.gate?.passes(Samples.frame(event.type.rawValue, event.id?.milliseconds ?? 0)) == true { tell(event.type, event.id) }
  }

  private mutating func tell(_ type: EventType, _ id: EventID?) {
    guard let id else { return }
    if type.isTelemetry {
      telemetry.append(id)
      newestTold[type] = max(newestTold[type] ?? .zero, id)
    } else {
      discrete.append(id)
    }
    last = max(last ?? .zero, id)
  }

  private mutating func proceed() throws {
    guard connection != nil else {
      connection = Connection(replica: Int.random(in: 0...1, using: &generator), pending: [.begin])
      return
    }
    guard connection?.pending.isEmpty == false, let step = connection?.pending.removeFirst() else { return }
    switch step {
    case .begin:
      resumedFrom = last ?? .zero
      _ = try connection?.subscriptions.begin(appliance, since: last, now: Samples.time)
      connection?.pending.append(.permit)
    case .permit: take(connection?.subscriptions.permitted(appliance, now: Samples.time) ?? [])
    case .join: join()
    case .readState(let since):
      let state = state
      connection?.pending.append(.readHistory(state, since: since))
    case .readHistory(let state, let since):
      let reading = LogReading(state: state, history: since.map(history))
      connection?.pending.append(.answer(reading))
    case .answer(let reading): take(connection?.subscriptions.read(reading, appliance, now: Samples.time) ?? [])
    case .deliver(let recovery): tell(recovery)
    case .drain: take(connection?.subscriptions.drained(now: Samples.time) ?? [])
    }
  }

  private var state: [Event] {
    Dictionary(log.map { ($0.type, $0) }) { $1 }.values.sorted { ($0.id ?? .zero) < ($1.id ?? .zero) }
  }

  private func history(since: EventID) -> EventHistory {
    let kept = discreteLog.suffix(historyMax)
    let isComplete = kept.count == discreteLog.count || (kept.first?.id ?? .zero) <= since
    return EventHistory(events: kept.filter { ($0.id ?? .zero) > since }, isComplete: isComplete)
  }

  private mutating func join() {
    guard let replica = connection?.replica else { return }
    let position = log.prefix(progress[replica]).last?.id ?? .zero
    // Small, so that it overflows at times.
    connection?.gate = SubscriptionGate(bytesMax: 60)
    connection?.position = position
    take(connection?.subscriptions.becameLive(appliance, position: position, now: Samples.time) ?? [])
  }

  private mutating func take(_ actions: [EpicuraSessionStateMachine.Action]) {
    for action in actions {
      switch action {
      case .join: connection?.pending.append(.join)
      case .readLog(_, _, let since): connection?.pending.append(.readState(since: since))
      case .deliver(_, let recovery): connection?.pending.append(.deliver(recovery))
      case .send(.subscribed(_, _, _, let recovered)): subscribed(recovered)
      case .closeAsSlow: connection = nil
      default: Issue.record("an action that was not to come: \(action)")
      }
    }
  }

  private mutating func subscribed(_ recovered: Bool?) {
    guard let position = connection?.position else { return }
    guard let last else {
      begun = position
      return
    }
    guard recovered != true else { return }
    wasToldOfLoss = true
    // A client that was lost again before it saw anything may come to a replica that lags, and get what the one before would not have told.
    lost = lost.filter { $0 <= last }
    lost.formUnion(discreteLog.compactMap(\.id).filter { $0 > last && $0 <= position })
  }

  /// As the subscriber does, but the client stops taking at random.
  private mutating func tell(_ recovery: Recovery) {
    var known = recovery.known
    for event in recovery.missed {
      if Int.random(in: 0..<10, using: &generator) == 0 {
        connection?.gate?.letGo()
        return pause(known)
      }
      tell(event.type, event.id)
      known.add(event)
    }
    guard let replica = connection?.replica else { return }
    let position = max(connection?.position ?? .zero, log.prefix(progress[replica]).last?.id ?? .zero)
    guard let held = connection?.gate?.release(known, position: position) else { return pause(known) }
    for frame in held.frames { if let type = frame.type { tell(type, frame.id) } }
    take(connection?.subscriptions.delivered(appliance, .whole, now: Samples.time) ?? [])
  }

  private mutating func pause(_ known: KnownEvents) {
    take(connection?.subscriptions.delivered(appliance, .part(known), now: Samples.time) ?? [])
    connection?.pending.append(.drain)
  }
}
