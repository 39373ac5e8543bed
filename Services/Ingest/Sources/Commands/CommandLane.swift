import Backoff
import EventLog
import Logging
import ServiceLifecycle
import Synchronization

/// Takes the commands of one queue and has them sent. Urgent ones have a lane, and with it a queue reader and a broker connection, of their own.
struct CommandLane: Service {
  /// In hand at once. Past it commands wait in the queue, where other replicas take them.
  static let countMax = 256
  /// Of one read.
  private static let wait = Duration.milliseconds(500)
  /// How often the queue is told what is done and what is kept.
  private static let tellInterval = Duration.milliseconds(250)

  let queue: CommandQueue
  let sender: CommandSender
  /// Without the broker nothing is taken and nothing kept, so that a replica which has it takes over.
  let broker: BrokerLink
  let logger: Logger
  private let hand = Hand()

  init(queue: CommandQueue, sender: CommandSender, broker: BrokerLink, logger: Logger) {
    self.queue = queue
    self.sender = sender
    self.broker = broker
    self.logger = logger
  }

  /// Until graceful shutdown; then what is in hand is tried once more and, if it cannot be sent, left for another replica.
  func run() async throws {
    await withDiscardingTaskGroup { group in
      group.addTask { await tellQueueFromTimeToTime() }
      await take(into: &group)
    }
    try? await tellQueue()
  }

  /// Beside the taking, so that no command waits for the word on another. It is told until the last is out of hand, for what is not kept is taken over.
  private func tellQueueFromTimeToTime() async {
    while !Task.isCancelled, !Task.isShuttingDownGracefully || hand.withLock({ !$0.schedule.all.isEmpty }) {
      // What failed is told the next time; the taking says that the log is away.
      try? await tellQueue()
      try? await Task.sleep(for: Self.tellInterval)
    }
  }

  private func take(into group: inout DiscardingTaskGroup) async {
    var backoff = Backoff(shortest: .milliseconds(50), longest: .seconds(2))
    var isWorking = true
    // A read is never cut off by a shutdown: what it would have brought would lie until another replica takes it over.
    while !Task.isShuttingDownGracefully, !Task.isCancelled {
      do {
        for queued in try await next() where hand.withLock({ $0.schedule.add(queued) }) {
          group.addTask { await work(from: queued) }
        }
        if !isWorking { logger.notice("Commands are taken from the log again.") }
        isWorking = true
        backoff.reset()
      } catch {
        if isWorking { logger.warning("Commands cannot be taken from the log: \(error)") }
        isWorking = false
        try? await Task.sleep(for: backoff.next())
      }
    }
  }

  private func next() async throws -> [QueuedCommand] {
    let room = hand.withLock { $0.schedule.room }
    if room > 0, broker.isUp { return try await queue.next(limit: room, wait: Self.wait) }
    try await Task.sleep(for: .milliseconds(50))
    return []
  }

  /// Sends a command and those that come to stand behind it.
  private func work(from first: QueuedCommand) async {
    var next: QueuedCommand? = first
    while let queued = next {
      let needsNoMore = await sender.send(queued)
      next = hand.withLock { hand in
        if needsNoMore { hand.done.append(queued) }
        return hand.schedule.finish(queued)
      }
    }
  }

  /// Tells the queue what is done and what is still being worked on. What it is not told of is handed out again, and then seen in the log to be sent.
  private func tellQueue() async throws {
    let (done, held) = hand.withLock { ($0.done, $0.heldToTell(at: .now)) }
    if !done.isEmpty {
      try await queue.done(done)
      hand.withLock { $0.done.removeFirst(done.count) }
    }
    if !held.isEmpty, broker.isUp { try await queue.keep(held) }
  }
}

/// What a lane has in hand.
private final class Hand: Sendable {
  struct State {
    var schedule = LaneSchedule(countMax: CommandLane.countMax)
    /// Sent or settled, which the queue is to be told.
    var done: [QueuedCommand] = []
    private var keptAt: ContinuousClock.Instant?

    init() {}

    /// What is being worked on, once a second.
    mutating func heldToTell(at now: ContinuousClock.Instant) -> [QueuedCommand] {
      if let keptAt, keptAt.duration(to: now) < .seconds(1) { return [] }
      keptAt = now
      return schedule.all
    }
  }

  private let state = Mutex(State())

  func withLock<Value: Sendable>(_ body: (inout sending State) -> sending Value) -> Value { state.withLock(body) }
}
