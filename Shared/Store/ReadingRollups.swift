import Models
import PostgresClient

/// Readings by the minute, to be added to `readings_by_minute`.
struct ReadingRollups: Sendable {
  private struct Key: Hashable {
    let applianceID: ApplianceID
    let metric: String
    let minute: Timestamp
  }

  private struct Minute {
    var count: Int64 = 0
    var sum = 0.0
    var min = Double.infinity
    var max = -Double.infinity
    var last = 0.0
    var lastAt = Timestamp(microseconds: .min)

    mutating func add(_ reading: Reading) {
      count += 1
      sum += reading.value
      min = Swift.min(min, reading.value)
      max = Swift.max(max, reading.value)
      if reading.timestamp >= lastAt { (last, lastAt) = (reading.value, reading.timestamp) }
    }
  }

  /// PostgreSQL refuses a sum that overflows, and the batch with it. What two batches add stays far from there.
  private static let sumMax = 1e280

  private var minutes: [Key: Minute] = [:]

  var rowCount: Int { minutes.count }

  mutating func add(_ reading: Reading) {
    let key = Key(applianceID: reading.applianceID, metric: reading.metric, minute: reading.timestamp.minute)
    minutes[key, default: Minute()].add(reading)
  }

  func write(in session: PostgresSession) throws(PostgresError) {
    guard !minutes.isEmpty else { return }
    let (keys, minutes) = (Array(minutes.keys), Array(minutes.values))
    try session.execute(
      """
      INSERT INTO readings_by_minute AS old (appliance_id, metric, minute, count, sum, min, max, last, last_at)
      SELECT * FROM unnest(
        $1::text[], $2::text[], $3::timestamptz[], $4::int8[], $5::float8[], $6::float8[], $7::float8[], $8::float8[], $9::timestamptz[])
      ON CONFLICT (appliance_id, metric, minute) DO UPDATE SET
        count = old.count + excluded.count, sum = greatest(-1e290, least(1e290, old.sum + excluded.sum)),
        min = least(old.min, excluded.min), max = greatest(old.max, excluded.max),
        last = CASE WHEN excluded.last_at >= old.last_at THEN excluded.last ELSE old.last END,
        last_at = greatest(old.last_at, excluded.last_at)
      """,
      [
        .textArray(keys.map(\.applianceID.rawValue)), .textArray(keys.map(\.metric)),
        .timestamptzArray(keys.map { PostgresTimestamp($0.minute) }), .int8Array(minutes.map(\.count)),
        .float8Array(minutes.map { Swift.min(Swift.max($0.sum, -Self.sumMax), Self.sumMax) }), .float8Array(minutes.map(\.min)),
        .float8Array(minutes.map(\.max)), .float8Array(minutes.map(\.last)),
        .timestamptzArray(minutes.map { PostgresTimestamp($0.lastAt) }),
      ])
  }
}

extension Timestamp {
  /// The beginning of its minute.
  fileprivate var minute: Timestamp {
    let width: Int64 = 60_000_000
    let rest = microseconds % width
    return Timestamp(microseconds: microseconds - (rest < 0 ? rest + width : rest))
  }
}
