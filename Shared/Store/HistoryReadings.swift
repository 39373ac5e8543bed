package import Models
import PostgresClient

/// One measured number at its time.
package struct StoredReading: Hashable, Sendable {
  /// The device's.
  package let timestamp: Timestamp
  package let value: Double
}

/// Where a page of readings ended. Several readings may have one time: `skip` of those of `timestamp` were given.
package struct ReadingPosition: Hashable, Sendable {
  package let timestamp: Timestamp
  package let skip: Int

  /// - Parameter skip: 0 to 1,000,000; other numbers are brought there.
  package init(timestamp: Timestamp, skip: Int) {
    self.timestamp = HistoryWindow.clamped(timestamp)
    self.skip = min(max(skip, 0), 1_000_000)
  }
}

/// The readings of one metric within `start` and the bucket's width.
package struct ReadingBucket: Hashable, Sendable {
  package let start: Timestamp
  package let count: Int
  package let min: Double
  package let max: Double
  package let average: Double
  /// The newest.
  package let last: Double
}

/// A metric that an appliance has told, with its newest reading.
package struct StoredMetric: Hashable, Sendable {
  package let name: String
  package let lastAt: Timestamp
  package let last: Double
}

extension HistoryStore {
  package typealias ReadingPage = HistoryPage<StoredReading, ReadingPosition>
  package typealias MetricPage = HistoryPage<StoredMetric, String>

  /// Readings of one metric, by the device's time.
  package func readings(
    of appliance: ApplianceID, metric: String, in window: HistoryWindow = HistoryWindow(), order: HistoryOrder = .oldestFirst,
    after: ReadingPosition? = nil, limit: Int = 100
  ) async throws -> ReadingPage {
    guard !metric.utf8.contains(0) else { return ReadingPage([], limit: limit) { _ in nil } }
    var (from, to) = (window.from, window.to)
    switch order {
    case .oldestFirst: from = max(from, after?.timestamp ?? from)
    case .newestFirst: to = min(to, after.map { $0.timestamp + .microseconds(1) } ?? to)
    }
    let rows = try await query(
      """
      SELECT timestamp, value FROM readings WHERE appliance_id = $1 AND metric = $2 AND timestamp >= $3 AND timestamp < $4
      ORDER BY timestamp \(order.sql), received_at \(order.sql), value \(order.sql) OFFSET $5 LIMIT $6
      """,
      [
        appliance.column, .text(metric), .timestamptz(from), .timestamptz(to), .int8(Int64(after?.skip ?? 0)),
        ReadingPage.rowCount(limit),
      ])
    let readings = try rows.decode(PostgresTimestamp.self, Double.self).map { StoredReading(timestamp: Timestamp($0.0), value: $0.1) }
    return ReadingPage(readings, limit: limit) { items in
      guard let last = items.last else { return nil }
      let same = items.reversed().prefix { $0.timestamp == last.timestamp }.count
      // The whole page may be of the cursor's own time.
      let before = same == items.count && after?.timestamp == last.timestamp ? after?.skip ?? 0 : 0
      return ReadingPosition(timestamp: last.timestamp, skip: before + same)
    }
  }

  /// Readings of one metric in buckets of equal width, oldest first; a bucket without readings is left out.
  ///
  /// Buckets are counted from 1970-01-01 UTC, and those that the window only touches are given whole. Widths of whole minutes come from
  /// the roll-up, others from every single reading: give them narrow windows.
  ///
  /// - Parameters:
  ///   - seconds: the width, 1 to `bucketSecondsMax`; other numbers are brought there.
  ///   - limit: the most buckets, counted from the window's beginning.
  package func buckets(
    of appliance: ApplianceID, metric: String, in window: HistoryWindow, seconds: Int, limit: Int
  ) async throws -> [ReadingBucket] {
    guard !metric.utf8.contains(0), window.from < window.to else { return [] }
    let seconds = min(max(seconds, 1), Self.bucketSecondsMax)
    let (from, to) = window.widened(to: Int64(seconds) * 1_000_000)
    let rows = try await query(
      seconds % 60 == 0 ? Self.rolledUpBuckets : Self.rawBuckets,
      [
        appliance.column, .text(metric), .timestamptz(from), .timestamptz(to), .int8(Int64(seconds)),
        .int8(Int64(max(0, limit))),
      ])
    return try rows.decode(PostgresTimestamp.self, Int.self, Double.self, Double.self, Double.self, Double.self).map { row in
      ReadingBucket(start: Timestamp(row.0), count: row.1, min: row.2, max: row.3, average: row.4 / Double(row.1), last: row.5)
    }
  }

  /// A leap year.
  package static let bucketSecondsMax = 366 * 86_400

  private static let rolledUpBuckets = """
    SELECT date_bin($5 * interval '1 second', minute, timestamptz 'epoch') AS start, sum(count)::bigint, min(min), max(max),
      sum(sum), (array_agg(last ORDER BY last_at DESC))[1]
    FROM readings_by_minute WHERE appliance_id = $1 AND metric = $2 AND minute >= $3 AND minute < $4
    GROUP BY start ORDER BY start LIMIT $6
    """

  /// Sums stay within what a double can hold, and are divided here: PostgreSQL would refuse the whole query for one that does not fit.
  private static let rawBuckets = """
    SELECT date_bin($5 * interval '1 second', timestamp, timestamptz 'epoch') AS start, count(*), min(value), max(value),
      sum(greatest(-1e290, least(1e290, value))), (array_agg(value ORDER BY timestamp DESC, received_at DESC))[1]
    FROM readings WHERE appliance_id = $1 AND metric = $2 AND timestamp >= $3 AND timestamp < $4
    GROUP BY start ORDER BY start LIMIT $6
    """

  /// The metrics that an appliance has ever told, by name.
  ///
  /// - Parameter after: `next` of the page before.
  package func metrics(of appliance: ApplianceID, after: String? = nil, limit: Int = 1000) async throws -> MetricPage {
    guard after?.utf8.contains(0) != true else { return MetricPage([], limit: limit) { _ in nil } }
    // One look into the index for each metric, past all of its minutes.
    let rows = try await query(
      """
      WITH RECURSIVE names (metric) AS (
        (SELECT metric FROM readings_by_minute WHERE appliance_id = $1 AND metric > $2 ORDER BY metric LIMIT 1)
        UNION ALL
        SELECT (SELECT r.metric FROM readings_by_minute r WHERE r.appliance_id = $1 AND r.metric > names.metric ORDER BY r.metric LIMIT 1)
        FROM names WHERE names.metric IS NOT NULL
      )
      SELECT metric, last_at, last FROM names CROSS JOIN LATERAL (
        SELECT last_at, last FROM readings_by_minute r WHERE r.appliance_id = $1 AND r.metric = names.metric ORDER BY r.minute DESC LIMIT 1
      ) AS newest LIMIT $3
      """, [appliance.column, .text(after ?? ""), MetricPage.rowCount(limit)])
    let metrics = try rows.decode(String.self, PostgresTimestamp.self, Double.self).map {
      StoredMetric(name: $0.0, lastAt: Timestamp($0.1), last: $0.2)
    }
    return MetricPage(metrics, limit: limit) { $0.last?.name }
  }
}

extension HistoryWindow {
  /// The window with its ends moved outwards to whole buckets of `width` microseconds, as far as there are times.
  fileprivate func widened(to width: Int64) -> (from: Timestamp, to: Timestamp) {
    let outer = HistoryWindow(
      from: Timestamp(microseconds: from.microseconds / width * width),
      to: Timestamp(microseconds: (to.microseconds + width - 1) / width * width))
    return (outer.from, outer.to)
  }
}
