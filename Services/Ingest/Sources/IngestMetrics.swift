import EventLog
import Metrics
import Models

/// What ingest counts. Labels come from code alone.
struct IngestMetrics: Sendable {
  private let received = Counter(label: "martlet_ingest_messages_received_total")
  private let appended = Counter(label: "martlet_ingest_events_appended_total")
  private let late = Counter(label: "martlet_ingest_events_late_total")
  private let duplicates = Counter(label: "martlet_ingest_duplicates_total")
  private let ignored = Counter(label: "martlet_ingest_messages_ignored_total")
  private let deadLetters = Dictionary(
    uniqueKeysWithValues: Rejection.Reason.allCases.map { reason in
      (reason, Counter(label: "martlet_ingest_dead_letters_total", dimensions: [("reason", reason.rawValue)]))
    })
  private let silent = Counter(label: "martlet_ingest_appliances_silent_total")
  private let appendFailures = Counter(label: "martlet_ingest_append_failures_total")
  private let batchMessages = Recorder(label: "martlet_ingest_batch_messages")
  private let appendTime = Timer(label: "martlet_ingest_append_seconds")
  private let lastMessage = Gauge(label: "martlet_ingest_last_message_timestamp_seconds")
  private let brokerConnected = Gauge(label: "martlet_ingest_broker_connected")
  private let brokerDropped = Gauge(label: "martlet_ingest_broker_dropped_messages")
  private let logUsed = Gauge(label: "martlet_ingest_log_used_bytes")
  private let logLimit = Gauge(label: "martlet_ingest_log_limit_bytes")
  private let logPaused = Gauge(label: "martlet_ingest_paused")

  /// `# HELP` for each.
  static let descriptions = [
    "martlet_ingest_messages_received_total": "MQTT messages that the broker delivered, redeliveries included",
    "martlet_ingest_events_appended_total": "Events that the log took in",
    "martlet_ingest_events_late_total": "Events of those that were older than the newest of their type",
    "martlet_ingest_duplicates_total": "Messages that the log had already",
    "martlet_ingest_messages_ignored_total": "Our own commands, should a broker bring them back",
    "martlet_ingest_dead_letters_total": "Messages that are no event and were kept as dead letters",
    "martlet_ingest_appliances_silent_total": "Appliances that were told as offline because they were silent",
    "martlet_ingest_append_failures_total": "Batches that the log did not take and the broker delivers again",
    "martlet_ingest_batch_messages": "Messages in one batch",
    "martlet_ingest_append_seconds": "Time that the log took for one batch",
    "martlet_ingest_last_message_timestamp_seconds": "When the last message came",
    "martlet_ingest_broker_connected": "1 while every subscription stands, on the replica that hears devices",
    "martlet_ingest_broker_dropped_messages": "Messages that the broker dropped since it started, by its own count",
    "martlet_ingest_log_used_bytes": "Memory that the log's server uses",
    "martlet_ingest_log_limit_bytes": "Memory that the log's server may use; 0 without a limit",
    "martlet_ingest_paused": "1 while the log is too full and nothing is acknowledged",
  ]

  func delivered(_ count: Int, at time: Timestamp) {
    received.increment(by: count)
    batchMessages.record(count)
    lastMessage.record(Double(time.microseconds) / 1_000_000)
  }

  func stored(_ intake: Intake, _ outcomes: [AppendOutcome], in time: Duration) {
    appendTime.recordNanoseconds(Int64(time / .nanoseconds(1)))
    var (eventCount, lateCount, duplicateCount) = (0, 0, 0)
    for (entry, outcome) in zip(intake.entries, outcomes) {
      switch (outcome, entry.content) {
      case (.duplicate, _): duplicateCount += 1
      case (.appended(_, let isLate), .event):
        eventCount += 1
        if isLate { lateCount += 1 }
      case (.appended, .deadLetter), (.refused, _): break
      }
    }
    appended.increment(by: eventCount)
    late.increment(by: lateCount)
    duplicates.increment(by: duplicateCount)
  }

  func counted(_ intake: Intake) {
    ignored.increment(by: intake.ignoredCount)
    if let count = intake.brokerDropped { brokerDropped.record(count) }
  }

  func rejected(_ rejection: Rejection) { deadLetters[rejection.reason]?.increment() }
  func silent(_ count: Int) { silent.increment(by: count) }
  func appendFailed() { appendFailures.increment() }
  func connected(_ isConnected: Bool) { brokerConnected.record(isConnected ? 1 : 0) }
  func paused(_ isPaused: Bool) { logPaused.record(isPaused ? 1 : 0) }

  func measured(_ usage: LogUsage) {
    logUsed.record(usage.used_bytes)
    logLimit.record(usage.limit_bytes ?? 0)
  }
}
