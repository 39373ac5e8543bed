package import Models
package import PostgresClient

/// One day (UTC) of receipt, for which `events` and `readings` have a partition each.
package struct PartitionDay: Hashable, Comparable, Sendable {
  /// Days since 1970-01-01.
  package let number: Int

  /// Days that can have partitions: 1970 to 2199.
  package static let possible = 0..<84_006

  package init(number: Int) { self.number = number }

  package init(of timestamp: Timestamp) {
    let day: Int64 = 86_400_000_000
    let microseconds = timestamp.microseconds
    number = Int(microseconds >= 0 ? microseconds / day : -((-1 - microseconds) / day) - 1)
  }

  package var isPossible: Bool { Self.possible.contains(number) }

  package static func < (left: PartitionDay, right: PartitionDay) -> Bool { left.number < right.number }

  /// Makes the partitions of `days` where they are missing. Not to be called inside a transaction that writes events.
  ///
  /// - Returns: how many were made.
  @discardableResult
  package static func make(_ days: ClosedRange<PartitionDay>, in session: PostgresSession) throws(PostgresError) -> Int {
    let rows = try session.query(
      "SELECT make_event_partitions(date '1970-01-01' + $1, date '1970-01-01' + $2)",
      [.int4(Int32(clamping: days.lowerBound.number)), .int4(Int32(clamping: days.upperBound.number))])
    return try rows.decode(Int.self).first ?? 0
  }
}
