import EventLog
import Models
import NIOCore

/// What one who waits for an appliance's commands hears.
enum LiveSignal: Sendable {
  /// From here on nothing is missed.
  case live
  case event(Event)
  /// Something may have been missed.
  case lost
}

/// The process's ear on the bus: changes of accounts, its own canary, and the command events of appliances whose outcome somebody waits for.
/// Confined to one event loop.
final class LiveEar: LiveReceiver {
  typealias Sink = AsyncStream<LiveSignal>.Continuation

  private struct Source {
    var isLive = false
    var sinks: [Int: Sink] = [:]
  }

  private let canary: Canary
  /// Something has changed, or may have while nothing was heard.
  private let changed: @Sendable (AccessChange) -> Void
  private var feed: (any LiveFeed)?
  private var sources: [String: Source] = [:]
  private var sinkCount = 0
  private var lastTicket = 0

  /// Requests that wait at a time; one more does not wait but is answered at once.
  static let waitingMax = 1024

  init(canary: Canary, changed: @escaping @Sendable (AccessChange) -> Void) {
    self.canary = canary
    self.changed = changed
  }

  /// Joins the ear with what it hears by.
  func connect(_ feed: any LiveFeed) {
    self.feed = feed
    feed.subscribe(Bus.changes)
    feed.subscribe(canary.channel)
  }

  /// - Returns: a ticket to give up by, nil when too many wait already.
  func want(_ appliance: ApplianceID, _ sink: Sink) -> Int? {
    guard sinkCount < Self.waitingMax else { return nil }
    lastTicket += 1
    sinkCount += 1
    let channel = Bus.live(appliance)
    if sources[channel] == nil { feed?.subscribe(channel) }
    sources[channel, default: Source()].sinks[lastTicket] = sink
    if sources[channel]?.isLive == true { sink.yield(.live) }
    return lastTicket
  }

  func giveUp(_ appliance: ApplianceID, _ ticket: Int) {
    let channel = Bus.live(appliance)
    guard sources[channel]?.sinks.removeValue(forKey: ticket) != nil else { return }
    sinkCount -= 1
    guard sources[channel]?.sinks.isEmpty == true else { return }
    sources[channel] = nil
    feed?.unsubscribe(channel)
  }

  // MARK: LiveReceiver

  func subscribed(channel: String) {
    if channel == Bus.changes { changed(.everything) }
    guard sources[channel] != nil else { return }
    sources[channel]?.isLive = true
    for sink in sources[channel]?.sinks.values ?? [:].values { sink.yield(.live) }
  }

  func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    let name = String(decoding: channel, as: UTF8.self)
    if name == Bus.changes { return changed(AccessChange(payload)) }
    if name == canary.channel { return canary.heard(payload) }
    // The bus writes `type` first, so that a flood of telemetry costs a glance each.
    guard let source = sources[name], payload.starts(with: Self.commandPrefix), let event = try? Event(parsing: Array(payload)) else {
      return
    }
    for sink in source.sinks.values { sink.yield(.event(event)) }
  }

  func readCompleted() {}

  func disconnected() {
    for (channel, source) in sources {
      sources[channel]?.isLive = false
      for sink in source.sinks.values { sink.yield(.lost) }
    }
  }

  private static let commandPrefix = Array(#"{"type":"command:"#.utf8)
}

/// The ear, for those on other threads.
struct LiveEarHandle: Sendable {
  private let ear: NIOLoopBound<LiveEar>

  /// To be called on the ear's loop.
  init(_ ear: LiveEar, eventLoop: any EventLoop) { self.ear = NIOLoopBound(ear, eventLoop: eventLoop) }

  /// Runs `body` with the appliance's command events from now on, the newest 256 of them; with nil when too many wait already.
  func listening<Result: Sendable>(
    to appliance: ApplianceID, _ body: (AsyncStream<LiveSignal>?) async throws -> Result
  ) async throws -> Result {
    let (signals, sink) = AsyncStream.makeStream(of: LiveSignal.self, bufferingPolicy: .bufferingNewest(256))
    let ticket = try await ear.eventLoop.submit { [ear] in ear.value.want(appliance, sink) }.get()
    defer {
      if let ticket { ear.eventLoop.execute { [ear] in ear.value.giveUp(appliance, ticket) } }
    }
    return try await body(ticket == nil ? nil : signals)
  }
}
