internal import Synchronization

/// From the client to one sequence of events.
final class EventFeed: Sendable {
  private let buffer = Mutex(EventBuffer())
  /// Wakes the consumer; what it finds is in the buffer.
  private let arrived: AsyncStream<Void>.Continuation

  init(_ arrived: AsyncStream<Void>.Continuation) { self.arrived = arrived }

  /// False when it is not open any more.
  @discardableResult func offer(_ event: MartletEvent) -> Bool {
    buffer.withLock { $0.append(event) }
    return isOpen
  }

  /// Ends the sequence behind what waits.
  func finish() {
    buffer.withLock { $0.finish() }
    arrived.finish()
  }

  func next() -> EventBuffer.Next { buffer.withLock { $0.next() } }

  /// Whether somebody still reads, and can be told more.
  var isOpen: Bool {
    // Also wakes the reader, for whom there may be nothing.
    if case .terminated = arrived.yield() { return false }
    return buffer.withLock { $0.isOpen }
  }
}

extension MartletClient {
  /// The events of some appliances as they come: each once, and each appliance's in the order of the log, over any number of lost
  /// connections. For one consumer.
  ///
  /// It ends when ``MartletClient/run()`` ends, and when none of its appliances is the user's any more; it throws ``FellBehind``
  /// when the app reads too slowly. Stop reading, and it is unsubscribed within half a minute.
  public struct Events: AsyncSequence, Sendable {
    public typealias Element = MartletEvent
    public typealias Failure = FellBehind

    let feed: EventFeed
    /// Held by nobody else: when it goes, the feed knows.
    let arrivals: AsyncStream<Void>

    public func makeAsyncIterator() -> Iterator { Iterator(feed: feed, arrivals: arrivals.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
      let feed: EventFeed
      var arrivals: AsyncStream<Void>.Iterator

      public mutating func next() async throws(FellBehind) -> MartletEvent? { try await next(isolation: nil) }

      public mutating func next(isolation actor: isolated (any Actor)?) async throws(FellBehind) -> MartletEvent? {
        var isLast = false
        while true {
          switch feed.next() {
          case .event(let event): return event
          case .end: return nil
          case .fellBehind(let error): throw error
          case .nothingYet where isLast: return nil
          case .nothingYet: isLast = await arrivals.next(isolation: actor) == nil
          }
        }
      }
    }
  }
}
