internal import Logging
internal import Models
internal import ServiceLifecycle
internal import Store
internal import Synchronization

/// Keeps this replica alive in the eyes of the others, and, where it is the one that takes care, does what no connection does: sessions whose time has
/// come, replicas that died, records for PostgreSQL. Everything it does may be done by two at once, or twice.
struct Caretaker: Service {
  struct Timing: Sendable {
    var period = Duration.seconds(1)
    /// How often requested ends are looked for that no announcement told of, and sessions that were lost with Redis.
    var slowPeriod = Duration.seconds(5)
  }

  /// Sessions or records of one shard at a time.
  private static let batchCount = 256
  private static let waitingCount = 64

  let watchroom: Watchroom
  let store: WatchStore
  let place: Place
  let timing: Timing
  /// This replica was taken for dead and has another name now: old, new.
  let renamed: @Sendable (String, String) async -> Void

  private let standing = Standing()

  init(
    watchroom: Watchroom, store: WatchStore, place: Place, timing: Timing = Timing(),
    renamed: @escaping @Sendable (String, String) async -> Void
  ) {
    (self.watchroom, self.store, self.place, self.timing, self.renamed) = (watchroom, store, place, timing, renamed)
  }

  private var switchboard: Switchboard { watchroom.switchboard }
  private var logger: Logger { watchroom.logger }

  func run() async throws {
    await withTaskGroup { group in
      group.addTask { await stayAlive() }
      group.addTask { await takeCare() }
    }
    await attempt("leave") { try await switchboard.leave(place.replica) }
  }

  /// By itself, so that no amount of care makes this replica look dead.
  private func stayAlive() async {
    var name = Name()
    repeat { standing.set(await beat(&name)) } while await pause()
  }

  private func takeCare() async {
    var slowAt = ContinuousClock.now
    while await pause() {
      guard let beat = standing.beat, beat.role == .caretaker else { continue }
      await attempt("bury the dead") { for replica in beat.dead { try await bury(replica) } }
      await attempt("look after sessions") { try await lookAfterSessions() }
      await attempt("write records") { try await writeRecords() }
      guard ContinuousClock.now >= slowAt else { continue }
      slowAt = .now + timing.slowPeriod
      await attempt("end what was asked to end") { try await reconcile() }
    }
  }

  /// False when the service stops.
  private func pause() async -> Bool {
    (try? await cancelWhenGracefulShutdown { try await Task.sleep(for: timing.period) }) != nil
  }

  private func attempt(_ purpose: String, _ body: () async throws -> Void) async {
    do { try await body() } catch { logger.warning("could not \(purpose); trying again", metadata: ["error": "\(error)"]) }
  }

  /// What Redis and this replica's connections know of its name.
  private struct Name {
    /// Redis was not told of it yet.
    var isNew = true
    /// The last one, while the connections still go by it.
    var old: String?
  }

  private func beat(_ name: inout Name) async -> Switchboard.Beat? {
    do {
      var beat = try await switchboard.beat(place.replica, isNew: name.isNew)
      watchroom.clock.set(beat.now)
      if beat.role == .lapsed {
        watchroom.metrics.lapsed()
        name = Name(isNew: true, old: place.replica)
        let new = place.takeAnother()
        logger.warning("this replica was silent for too long and takes its place anew", metadata: ["replica": "\(new)"])
        // On Redis first: what it holds under a name that nobody watches over would be lost with it.
        beat = try await switchboard.beat(new, isNew: true)
      }
      if let old = name.old { await renamed(old, place.replica) }
      name = Name(isNew: false)
      return beat
    } catch {
      logger.warning("Redis does not answer", metadata: ["error": "\(error)"])
      return nil
    }
  }

  // MARK: What no connection does

  private func bury(_ replica: String) async throws {
    let holdings = try await switchboard.holdings(of: replica)
    logger.warning("a replica died", metadata: ["replica": "\(replica)", "held": "\(holdings.count)"])
    try await each(Array(holdings)) { holding in
      switch holding {
      case .device(let device): try await loseDevice(device, of: replica)
      case .viewer(let watch): try await lose(.viewer, of: watch, on: replica)
      }
    }
    try await switchboard.bury(replica)
    watchroom.metrics.buriedReplica()
  }

  /// In this order, and over again as often as it takes: no session can begin with the dead connection once it is detached.
  private func loseDevice(_ device: ApplianceID, of replica: String) async throws {
    let seat = try await switchboard.seat(of: device)
    let generation = seat?.replica == replica ? seat?.generation : nil
    for watch in try await switchboard.detach(device, generation: generation ?? -1) { try await lose(.device, of: watch, on: replica) }
  }

  private func lose(_ side: WatchSession.Side, of watch: WatchID, on replica: String) async throws {
    guard let seat = try await switchboard.read(watch)?.session[side].seat, seat.replica == replica else { return }
    _ = try await watchroom.apply(.lost(side, seat), to: watch)
  }

  private func lookAfterSessions() async throws {
    while true {
      let due = try await switchboard.due(limit: Self.batchCount)
      try await each(due) { watch in
        if try await watchroom.apply(.time, to: watch) == .noSession { try await switchboard.forgetDeadline(watch) }
      }
      if due.count < Self.batchCount { return }
    }
  }

  /// Many wait for Redis at a time.
  private func each<Item: Sendable>(_ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, item) in items.enumerated() {
        if index >= Self.waitingCount { try await group.next() }
        group.addTask { try await body(item) }
      }
      try await group.waitForAll()
    }
  }

  private func writeRecords() async throws {
    while true {
      let found = try await switchboard.records(limit: Self.batchCount)
      try await store.write(found.compactMap(\.record))
      for (shard, entries) in Dictionary(grouping: found, by: \.shard) {
        try await switchboard.dropRecords(entries.map(\.id), shard: shard)
      }
      watchroom.metrics.wrote(found.count)
      if found.count < Self.batchCount { return }
    }
  }

  private func reconcile() async throws {
    for watch in try await store.endRequests(limit: Self.batchCount) { _ = try await watchroom.apply(.stop(.userEnded), to: watch) }
    let now = watchroom.clock.now()
    let oldest = now + (.zero - watchroom.limits.sessionTimeout - .seconds(600))
    let count = try await store.closeAbandoned(startedBefore: oldest, now: now)
    if count > 0 { logger.warning("closed sessions that Redis knows nothing of", metadata: ["count": "\(count)"]) }
  }
}

/// What the last sign of life was answered with.
private final class Standing: Sendable {
  private let last = Mutex<Switchboard.Beat?>(nil)

  var beat: Switchboard.Beat? { last.withLock { $0 } }
  func set(_ beat: Switchboard.Beat?) { last.withLock { $0 = beat } }
}
