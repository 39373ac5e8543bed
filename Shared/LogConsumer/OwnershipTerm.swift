import Synchronization

/// The time during which a set of shards is owned. When it is over, consumers end after the batch in hand.
final class OwnershipTerm: Sendable {
  private let over = Atomic(false)

  var isOver: Bool { over.load(ordering: .acquiring) }

  func end() { over.store(true, ordering: .releasing) }
}
