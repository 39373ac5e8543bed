import Models
import PostgresClient
import Store
import Synchronization

/// Which days are known to have their partitions. Shared by all consumers of a replica.
final class PartitionCalendar: Sendable {
  private struct State {
    var known: Set<PartitionDay> = []
    var aheadOf: PartitionDay?
  }

  private let daysAhead: Int
  private let state = Mutex(State())

  init(daysAhead: Int) { self.daysAhead = daysAhead }

  /// Makes today and the days ahead, once a day.
  func keepAhead(of now: Timestamp, on connection: PostgresConnection) async throws {
    let today = PartitionDay(of: now)
    guard today.isPossible, state.withLock({ $0.aheadOf }) != today else { return }
    let days = today...PartitionDay(number: today.number + daysAhead)
    try await connection.run { session in try PartitionDay.make(days, in: session) }
    state.withLock {
      $0.known.formUnion((days.lowerBound.number...days.upperBound.number).map(PartitionDay.init(number:)))
      $0.aheadOf = today
    }
  }

  /// Makes those of `days` that are not known.
  func require(_ days: Set<PartitionDay>, on connection: PostgresConnection) async throws {
    let missing = state.withLock { days.subtracting($0.known) }
    for day in missing.sorted() {
      try await connection.run { session in try PartitionDay.make(day...day, in: session) }
      state.withLock { _ = $0.known.insert(day) }
    }
  }

  /// Somebody has removed partitions: asks the server again for every day.
  func forget() { state.withLock { $0 = State() } }
}
