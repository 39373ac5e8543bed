import Metrics
import Store

/// What the persister counts besides what every consumer of the log does. Labels come from code alone.
struct PersisterMetrics: Sendable {
  private let events = Counter(label: "martlet_persister_events_total")
  private let readings = Counter(label: "martlet_persister_readings_total")
  private let minutes = Counter(label: "martlet_persister_minutes_total")
  private let unprojected = Counter(label: "martlet_persister_unprojected_events_total")
  private let received = Counter(label: "martlet_persister_dead_letters_total", dimensions: [("reason", "received")])
  private let refused = Counter(label: "martlet_persister_dead_letters_total", dimensions: [("reason", "refused")])
  private let known = Counter(label: "martlet_persister_known_records_total")
  private let batchRecords = Recorder(label: "martlet_persister_batch_records")
  private let commitTime = Timer(label: "martlet_persister_commit_seconds")

  /// `# HELP` for each.
  static let descriptions = [
    "martlet_persister_events_total": "Events stored",
    "martlet_persister_readings_total": "Readings stored",
    "martlet_persister_minutes_total": "Rows of readings_by_minute written, one for each metric and minute of a batch",
    "martlet_persister_unprojected_events_total": "Events of a command or a cooking session that do not say of which",
    "martlet_persister_dead_letters_total": "Dead letters stored: received as such, or refused by PostgreSQL",
    "martlet_persister_known_records_total": "Records of a log read anew that were stored already",
    "martlet_persister_log_resets_total": "How often the log was found lost or rolled back and was read anew",
    "martlet_persister_read_failures_total": "Reads that the log did not answer",
    "martlet_persister_session_failures_total": "Sessions with PostgreSQL that failed or could not be made",
    "martlet_persister_batch_records": "Records in one transaction",
    "martlet_persister_commit_seconds": "Time that PostgreSQL took for one transaction",
    "martlet_persister_lag_seconds": "Age of the oldest record of an owned shard that is not stored; 0 when all are",
    "martlet_persister_shards_owned": "Shards that this replica consumes",
    "martlet_persister_sessions": "Sessions with PostgreSQL that consume",
  ]

  func committed(_ batch: RecordRows, in time: Duration) {
    events.increment(by: batch.rows.eventCount)
    readings.increment(by: batch.rows.readingCount)
    minutes.increment(by: batch.rows.minuteCount)
    unprojected.increment(by: batch.projections.unprojectedCount)
    refused.increment(by: batch.refusedCount)
    received.increment(by: batch.rows.deadLetterCount - batch.refusedCount)
    known.increment(by: batch.knownCount)
    batchRecords.record(batch.rows.eventCount + batch.rows.deadLetterCount)
    commitTime.recordNanoseconds(Int64(time / .nanoseconds(1)))
  }
}
