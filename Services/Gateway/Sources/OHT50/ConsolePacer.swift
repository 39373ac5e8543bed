internal import Models

/// When the events of one robot go out to consoles that want the same of it (the OHT-50 document's "Rate Limiting"): at once where the one before of its type is old enough, else the
/// newest of them when it is. So no type comes too often, and its last event always comes. Types of one line keep their order: what came later waits for what waits. Pure.
///
/// Types are known by their places: `add` gives the next place. Types that share one are as one.
struct ConsolePacer<Frame> {
  typealias Instant = ContinuousClock.Instant

  private struct Place {
    /// Nil for a type that is not wanted.
    var interval: Duration?
    let line: ConsoleLine?
    /// When the last one went.
    var sentAt: Instant?
    /// Before that none goes, because all together are too many.
    var earliest: Instant?
    /// The newest, where it has not gone, and which of all that were offered it is.
    var waiting: (number: Int, frame: Frame)?

    /// When the next one may go.
    var next: Instant? {
      guard let interval, let sentAt else { return earliest }
      return max(sentAt + interval, earliest ?? sentAt)
    }
  }

  private var places: [Place] = []
  private var offeredCount = 0
  /// Events that gave way to newer ones.
  private(set) var supersededCount = 0

  mutating func add(interval: Duration?, line: ConsoleLine? = nil) { places.append(Place(interval: interval, line: line)) }

  /// Goes by another interval at a place whose next event is of another of the types that share it.
  mutating func pace(_ place: Int, by interval: Duration) { places[place].interval = interval }

  func wants(_ place: Int) -> Bool { places[place].interval != nil }

  /// What waits, in the order in which it came.
  var waiting: [Frame] { queue.compactMap { places[$0].waiting?.frame } }

  /// The places at which something waits, in that order.
  private var queue: [Int] {
    places.indices.filter { places[$0].waiting != nil }.sorted { places[$0].waiting?.number ?? 0 < places[$1].waiting?.number ?? 0 }
  }

  /// Goes on from where another one stands, as far as it wants the same types: what went there counts here, and what waits there waits here.
  ///
  /// - Parameter interval: of what waits there; nil where it is not wanted here.
  mutating func goOn(from other: Self, interval: (Frame) -> Duration?) {
    offeredCount = other.offeredCount
    for (index, place) in zip(places.indices, other.places) {
      (places[index].sentAt, places[index].earliest) = (place.sentAt, place.earliest)
      guard let waiting = place.waiting, let wanted = interval(waiting.frame) else { continue }
      (places[index].interval, places[index].waiting) = (wanted, waiting)
    }
  }

  /// Whether an event would go at once.
  func isDue(_ place: Int, at now: Instant) -> Bool {
    let place = places[place]
    return place.interval != nil && place.waiting == nil && place.next.map { $0 <= now } ?? true && !mustWait(in: place.line)
  }

  /// Whether one of this line waits that must go first.
  private func mustWait(in line: ConsoleLine?) -> Bool {
    guard let line else { return false }
    return places.contains { $0.waiting != nil && $0.line?.family == line.family && $0.line?.givesWay == false }
  }

  /// Takes an event in and answers whether it goes now.
  ///
  /// - Parameters:
  ///   - isUrgent: goes at once, whatever went before it; what waits in its line says nothing new, and is not told after it.
  ///   - earliest: before that none that is not urgent goes.
  mutating func offer(_ frame: Frame, _ place: Int, isUrgent: Bool = false, earliest: Instant? = nil, at now: Instant) -> Bool {
    guard wants(place) else { return false }
    if isUrgent || (isDue(place, at: now) && earliest.map { $0 <= now } ?? true) {
      supersede(place)
      // Where this one may go, nothing else is left there but what gives way.
      for other in places.indices where isBeside(other, places[place].line) { supersede(other) }
      (places[place].sentAt, places[place].earliest) = (now, nil)
      return true
    }
    supersede(place)
    offeredCount += 1
    places[place].waiting = (offeredCount, frame)
    if let earliest { places[place].earliest = earliest }
    return false
  }

  private func isBeside(_ place: Int, _ line: ConsoleLine?) -> Bool { line != nil && places[place].line?.family == line?.family }

  private mutating func supersede(_ place: Int) {
    guard places[place].waiting != nil else { return }
    supersededCount += 1
    places[place].waiting = nil
  }

  /// What has waited long enough, in the order in which it came.
  mutating func takeDue(at now: Instant) -> [Frame] {
    var due: [Frame] = []
    for index in heads(where: { $0.map { $0 > now } ?? false }) {
      guard let waiting = places[index].waiting, places[index].next.map({ $0 <= now }) ?? true else { continue }
      for other in places.indices where isBeside(other, places[index].line) && places[other].waiting?.number ?? .max < waiting.number {
        supersede(other)
      }
      due.append(waiting.frame)
      (places[index].waiting, places[index].sentAt, places[index].earliest) = (nil, now, nil)
    }
    return due
  }

  /// When the next one that waits may go; nil when none waits.
  var next: Instant? { heads(where: { _ in true }).lazy.compactMap { places[$0].next }.min() }

  /// Of those that wait, those for which none must wait that stands before them in their line.
  ///
  /// - Parameter holds: whether one that may go then holds up those behind it.
  private func heads(where holds: (Instant?) -> Bool) -> [Int] {
    var held: Set<OHT50Family> = []
    return queue.filter { index in
      guard let line = places[index].line else { return true }
      guard !held.contains(line.family) else { return false }
      if !line.givesWay, holds(places[index].next) { held.insert(line.family) }
      return true
    }
  }
}

/// The types of one family that keep the order of the log among each other. Pure.
struct ConsoleLine: Hashable {
  let family: OHT50Family
  /// What waits is nothing beside a later event of the line, and holds none up.
  let givesWay: Bool

  /// Nil for telemetry: it tells how things stand, whatever else happens. Only a mission's progress is nothing after its mission's end.
  init?(of type: EventType) {
    guard let family = OHT50Family(type), !type.isTelemetry || family == .mission else { return nil }
    (self.family, givesWay) = (family, type.isTelemetry)
  }
}
