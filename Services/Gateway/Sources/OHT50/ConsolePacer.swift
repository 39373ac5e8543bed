/// When the events of one robot go out to consoles that want the same of it (the OHT-50 document's "Rate Limiting"): at once where the one before of its type is old enough, else the
/// newest of them when it is. So no type comes too often, and its last event always comes. Pure.
///
/// Types are known by their places: `add` gives the next place.
struct ConsolePacer<Frame> {
  typealias Instant = ContinuousClock.Instant

  private struct Place {
    /// Nil for a type that is not wanted.
    let interval: Duration?
    /// When the last one went.
    var sentAt: Instant?
    /// Before that none goes, because all together are too many.
    var earliest: Instant?
    /// The newest, where it has not gone.
    var waiting: Frame?

    /// When the next one may go.
    var next: Instant? {
      guard let interval, let sentAt else { return earliest }
      return max(sentAt + interval, earliest ?? sentAt)
    }
  }

  private var places: [Place] = []
  /// Events that gave way to newer ones.
  private(set) var supersededCount = 0

  mutating func add(interval: Duration?) { places.append(Place(interval: interval)) }

  func wants(_ place: Int) -> Bool { places[place].interval != nil }

  /// What waits.
  var waiting: [Frame] { places.compactMap(\.waiting) }

  /// Goes on from where another one stands, as far as it wants the same types: what went there counts here, and what waits there waits here.
  mutating func goOn(from other: Self) {
    for (index, place) in zip(places.indices, other.places) where wants(index) {
      (places[index].sentAt, places[index].earliest, places[index].waiting) = (place.sentAt, place.earliest, place.waiting)
    }
  }

  /// Whether an event would go at once.
  func isDue(_ place: Int, at now: Instant) -> Bool {
    let place = places[place]
    return place.interval != nil && place.waiting == nil && place.next.map { $0 <= now } ?? true
  }

  /// Takes an event in and answers whether it goes now.
  ///
  /// - Parameters:
  ///   - isUrgent: goes at once, whatever went before it.
  ///   - earliest: before that none that is not urgent goes.
  mutating func offer(_ frame: Frame, _ place: Int, isUrgent: Bool = false, earliest: Instant? = nil, at now: Instant) -> Bool {
    guard wants(place) else { return false }
    if isUrgent || (isDue(place, at: now) && earliest.map { $0 <= now } ?? true) {
      supersede(place)
      (places[place].sentAt, places[place].earliest) = (now, nil)
      return true
    }
    supersede(place)
    places[place].waiting = frame
    if let earliest { places[place].earliest = earliest }
    return false
  }

  private mutating func supersede(_ place: Int) {
    guard places[place].waiting != nil else { return }
    supersededCount += 1
    places[place].waiting = nil
  }

  /// What has waited long enough.
  mutating func takeDue(at now: Instant) -> [Frame] {
    var due: [Frame] = []
    for (index, place) in places.enumerated() {
      guard let frame = place.waiting, place.next.map({ $0 <= now }) ?? true else { continue }
      due.append(frame)
      (places[index].waiting, places[index].sentAt, places[index].earliest) = (nil, now, nil)
    }
    return due
  }

  /// When the next one that waits may go; nil when none waits.
  var next: Instant? { places.lazy.compactMap { $0.waiting == nil ? nil : $0.next }.min() }
}
