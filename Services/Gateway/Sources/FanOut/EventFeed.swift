internal import Backoff
internal import EventLog
internal import Models
internal import NIOCore
internal import WebSocketTransport

/// What the feed has done.
struct FeedCounters: Sendable {
  var topics = 0
  var messages = 0
  var disconnects = 0
  var resubscriptions = 0
  var repairs = 0
  var incompleteRepairs = 0
  var failedReads = 0
}

/// The process's one ear on the bus: hears each appliance that anyone here listens to, keeps its events in order over reconnects, and hands
/// them to the loops. Confined to one event loop.
final class EventFeed {
  private final class Source {
    let appliance: ApplianceID
    var sequence = TopicSequence()
    /// The loops that listen.
    var listeners: [(loop: Int, ticket: Int)] = []
    var backoff = Backoff()
    /// Whether the log is being read for this appliance, or waits for its turn.
    var isReading = false

    init(_ appliance: ApplianceID) { self.appliance = appliance }
  }

  /// Events on their way to another loop.
  private struct Batch {
    var bytes = ByteBuffer()
    var messages: [(appliance: ApplianceID, id: EventID?, byteCount: Int)] = []
  }

  private let eventLoop: any EventLoop
  private let loopIndex: Int
  private let log: any EventLog
  private let jobs: JobQueue
  private var hubs: [NIOLoopBound<LoopHub>] = []
  private var channels: (any LiveFeed)?
  private var sources: [String: Source] = [:]
  private var batches: [Batch] = []
  private var waitingReads: [Source] = []
  private var readCount = 0
  private(set) var counters = FeedCounters()

  /// Channels that are not an appliance's, and what is done with their messages.
  private var others: [String: Other] = [:]
  private struct Other {
    let subscribed: () -> Void
    let message: (UnsafeRawBufferPointer) -> Void
  }

  /// Logs read at the same time, so that thousands of appliances after a reconnect are no burst.
  private static let readCountMax = 64

  init(eventLoop: any EventLoop, loopIndex: Int, log: any EventLog, jobs: JobQueue) {
    self.eventLoop = eventLoop
    self.loopIndex = loopIndex
    self.log = log
    self.jobs = jobs
  }

  /// Joins the feed with the hubs of all loops, in their order, and with the channels that it hears.
  func connect(hubs: [NIOLoopBound<LoopHub>], channels: any LiveFeed) {
    self.hubs = hubs
    self.channels = channels
    batches = hubs.map { _ in Batch() }
  }

  /// Listens to a channel that is not an appliance's.
  func listen(to channel: String, subscribed: @escaping () -> Void, message: @escaping (UnsafeRawBufferPointer) -> Void) {
    others[channel] = Other(subscribed: subscribed, message: message)
    channels?.subscribe(channel)
  }

  // MARK: Interest

  func want(_ appliance: ApplianceID, loop: Int, ticket: Int) {
    let channel = Bus.live(appliance)
    if let source = sources[channel] {
      source.listeners.append((loop, ticket))
      if source.sequence.phase != .unsubscribed, source.sequence.phase != .starting { tellLive(source, loop, ticket) }
      return
    }
    let source = Source(appliance)
    source.listeners = [(loop, ticket)]
    sources[channel] = source
    counters.topics += 1
    channels?.subscribe(channel)
  }

  func giveUp(_ appliance: ApplianceID, loop: Int) {
    let channel = Bus.live(appliance)
    guard let source = sources[channel] else { return }
    source.listeners.removeAll { $0.loop == loop }
    guard source.listeners.isEmpty else { return }
    sources[channel] = nil
    counters.topics -= 1
    channels?.unsubscribe(channel)
  }

  private func tellLive(_ source: Source, _ loop: Int, _ ticket: Int) {
    let (hub, appliance, position) = (hubs[loop], source.appliance, source.sequence.last)
    // Always by a new turn of the loop: whoever asked is still in the middle of asking.
    hub.eventLoop.execute { hub.value.becameLive(appliance, ticket: ticket, position: position) }
  }

  // MARK: Delivery

  private func deliver(_ message: UnsafeRawBufferPointer, id: EventID?, of source: Source) {
    for (loop, _) in source.listeners {
      if loop == loopIndex {
        hubs[loop].value.append(message, id: id, of: source.appliance)
      } else {
        batches[loop].bytes.writeBytes(message)
        batches[loop].messages.append((source.appliance, id, message.count))
      }
    }
  }

  /// Ends a tick: one turn of each other loop for all that it gets.
  private func flush() {
    for loop in hubs.indices where !batches[loop].messages.isEmpty {
      let (batch, hub) = (batches[loop], hubs[loop])
      batches[loop] = Batch()
      hub.eventLoop.execute {
        batch.bytes.withUnsafeReadableBytes { bytes in
          var start = 0
          for (appliance, id, byteCount) in batch.messages {
            hub.value.append(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + byteCount)]), id: id, of: appliance)
            start += byteCount
          }
        }
        hub.value.flush()
      }
    }
    if hubs.indices.contains(loopIndex) { hubs[loopIndex].value.flush() }
  }

  // MARK: Reading the log

  private func read(_ source: Source) {
    guard !source.isReading else { return }
    source.isReading = true
    waitingReads.append(source)
    startReads()
  }

  private func startReads() {
    while readCount < Self.readCountMax, !waitingReads.isEmpty {
      let source = waitingReads.removeFirst()
      readCount += 1
      let (log, appliance, confirmations) = (log, source.appliance, source.sequence.confirmations)
      let last = source.sequence.phase == .repairing ? source.sequence.last : nil
      let (here, eventLoop) = (NIOLoopBound((feed: self, source: source), eventLoop: eventLoop), eventLoop)
      let isTaken = jobs.submit {
        let reading = try? await LogReading.read(appliance, since: last, in: log)
        eventLoop.execute { here.value.feed.finishRead(here.value.source, reading, confirmations) }
      }
      if !isTaken { finishRead(source, nil, confirmations) }
    }
  }

  private func finishRead(_ source: Source, _ reading: LogReading?, _ confirmations: Int) {
    readCount -= 1
    source.isReading = false
    defer { startReads() }
    guard sources[Bus.live(source.appliance)] === source else { return }
    let phase = source.sequence.phase
    // The channel was confirmed anew while the log was read: what was said in between is in neither.
    guard confirmations == source.sequence.confirmations else { return readIfNeeded(source) }
    guard let reading else {
      counters.failedReads += 1
      return retry(source)
    }
    source.backoff.reset()
    if let history = reading.history {
      counters.repairs += 1
      if !history.isComplete { counters.incompleteRepairs += 1 }
    }
    let repair = source.sequence.read(state: reading.state, history: reading.history?.events ?? [])
    for message in repair.messages { message.withUnsafeBytes { deliver($0, id: EventGlance.id(of: $0), of: source) } }
    flush()
    if repair.mustRepeat { read(source) }
    if phase == .starting {
      for (loop, ticket) in source.listeners { tellLive(source, loop, ticket) }
    }
  }

  private func readIfNeeded(_ source: Source) {
    if source.sequence.phase == .starting || source.sequence.phase == .repairing { read(source) }
  }

  private func retry(_ source: Source) {
    eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(source.backoff.next())) {
      guard self.sources[Bus.live(source.appliance)] === source else { return }
      self.readIfNeeded(source)
    }
  }
}

extension EventFeed: LiveReceiver {
  func subscribed(channel: String) {
    if let other = others[channel] { return other.subscribed() }
    guard let source = sources[channel] else { return }
    if source.sequence.phase != .unsubscribed { counters.resubscriptions += 1 }
    source.sequence.confirmed()
    read(source)
  }

  func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    let name = String(decoding: channel, as: UTF8.self)
    guard let source = sources[name] else {
      others[name]?.message(payload)
      return
    }
    counters.messages += 1
    let id = EventGlance.id(of: payload)
    if source.sequence.received(id: id, payload) == .deliver { deliver(payload, id: id, of: source) }
  }

  func readCompleted() { flush() }

  func disconnected() {
    counters.disconnects += 1
    for source in sources.values { source.sequence.disconnected() }
  }
}

/// The feed as other loops see it.
struct FeedHandle: Sendable {
  private let feed: NIOLoopBound<EventFeed>

  init(_ feed: NIOLoopBound<EventFeed>) { self.feed = feed }

  func want(_ appliance: ApplianceID, loop: Int, ticket: Int) {
    feed.eventLoop.execute { [feed] in feed.value.want(appliance, loop: loop, ticket: ticket) }
  }

  func giveUp(_ appliance: ApplianceID, loop: Int) {
    feed.eventLoop.execute { [feed] in feed.value.giveUp(appliance, loop: loop) }
  }

  /// The feed's counters as of now.
  func counters() async -> FeedCounters {
    (try? await feed.eventLoop.submit { [feed] in feed.value.counters }.get()) ?? FeedCounters()
  }
}
