import Synchronization

/// So many of something at a time; one more is told to come later.
final class Places: Sendable {
  /// Held by one, until it leaves it or throws it away.
  final class Place: Sendable {
    private let places: Places
    private let isHeld = Atomic(true)

    fileprivate init(_ places: Places) { self.places = places }
    deinit { leave() }

    func leave() {
      if isHeld.exchange(false, ordering: .relaxed) { places.held.withLock { $0 -= 1 } }
    }
  }

  private let name: String
  private let countMax: Int
  private let held = Mutex(0)

  /// - Parameter name: what there are several of, for people: `exports`.
  init(of name: String, countMax: Int) { (self.name, self.countMax) = (name, countMax) }

  var heldCount: Int { held.withLock { $0 } }

  func take() throws(Problem) -> Place {
    let isFree = held.withLock { held in
      guard held < countMax else { return false }
      held += 1
      return true
    }
    guard isFree else { throw .later(.tooManyRequests, "Too many \(name) run: at most \(countMax) at a time.", retryAfter_s: 10) }
    return Place(self)
  }
}
