internal import Models
internal import NIOCore
internal import WebSocketTransport

/// The consoles that want the same of one robot. Confined to their event loop.
final class ConsoleProfile {
  let view: ConsoleView
  private let hub: LoopHub
  private var members: [ConsoleMembership] = []
  private var pacer = ConsolePacer<DeliveryLane.Frame>()
  /// What goes out at the end of this tick, in order.
  private var due: [DeliveryLane.Frame] = []
  /// Those frames, one behind the other.
  private var joined = ByteBuffer()

  /// A burst must not leave its buffer behind at each robot.
  private static let keptBytesMax = 4096

  /// - Parameters:
  ///   - types: those that have a place, in their order.
  ///   - former: what its first member wanted before. It goes on from there: no type comes more often for it, and what waits is not lost.
  init(_ view: ConsoleView, hub: LoopHub, types: [EventType], after former: ConsoleProfile?) {
    self.view = view
    self.hub = hub
    for type in types { add(type) }
    if let former { pacer.goOn(from: former.pacer) { $0.type.flatMap(view.interval(of:)) } }
  }

  var isEmpty: Bool { members.isEmpty }

  func add(_ member: ConsoleMembership) {
    member.profileSlot = members.count
    members.append(member)
  }

  /// The same for another that comes from there: what waited for it there, and does not wait here, it gets now.
  func add(_ member: ConsoleMembership, after former: ConsoleProfile?) {
    add(member)
    let waiting = Set(pacer.waiting.compactMap(\.id))
    for frame in former?.pacer.waiting ?? [] {
      guard let type = frame.type, view.interval(of: type) != nil, frame.id.map({ !waiting.contains($0) }) ?? true else { continue }
      if member.known.isNew(type, frame.id) { member.take(frame) }
    }
  }

  func remove(_ member: ConsoleMembership) {
    members.swapAt(member.profileSlot, members.count - 1)
    members[member.profileSlot].profileSlot = member.profileSlot
    members.removeLast()
  }

  /// The next place is this type's.
  func add(_ type: EventType) { pacer.add(interval: view.interval(of: type), line: ConsoleLine(of: type)) }

  /// Whether this type is wanted, of which the next event is. A place that it shares goes by its rate then.
  func turn(_ place: ConsolePlaces.Place, to type: EventType) -> Bool {
    guard place.isShared else { return pacer.wants(place.index) }
    guard let interval = view.interval(of: type) else { return false }
    pacer.pace(place.index, by: interval)
    return true
  }

  func isDue(_ place: Int, at now: ContinuousClock.Instant) -> Bool { pacer.isDue(place, at: now) }

  func offer(
    _ frame: DeliveryLane.Frame, _ place: Int, isUrgent: Bool, earliest: ContinuousClock.Instant?, at now: ContinuousClock.Instant
  ) {
    if pacing({ $0.offer(frame, place, isUrgent: isUrgent, earliest: earliest, at: now) }) { due.append(frame) }
  }

  /// Counts what gives way.
  private func pacing<Result>(_ body: (inout ConsolePacer<DeliveryLane.Frame>) -> Result) -> Result {
    let superseded = pacer.supersededCount
    defer { hub.counters.paced += pacer.supersededCount - superseded }
    return body(&pacer)
  }

  /// When something that waits may go.
  var next: ContinuousClock.Instant? { pacer.next }

  /// Ends a tick: what is due goes to every member, as one buffer to those that keep up, one by one to the lanes of the others.
  func flush(at now: ContinuousClock.Instant) {
    due += pacing { $0.takeDue(at: now) }
    guard !due.isEmpty else { return }
    let oldest = due.lazy.compactMap(\.id).min() ?? .zero
    for frame in due { joined.writeImmutableBuffer(frame.bytes) }
    var count = 0
    for member in members {
      if member.isOpen, member.subscriber.isFlowing, oldest > member.knownEnd {
        member.subscriber.connection.send(frames: joined)
        count += 1
      } else {
        // What waited here may be older than what the console was told.
        for frame in due where member.known.isNew(frame.type, frame.id) { member.take(frame) }
      }
    }
    hub.counters.deliveries += count * due.count
    hub.counters.deliveredBytes += count * joined.readableBytes
    due.removeAll(keepingCapacity: true)
    if joined.capacity > Self.keptBytesMax { joined = ByteBuffer() } else { joined.clear() }
  }
}
