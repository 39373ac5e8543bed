import Metrics
import Models
import Store

/// What the dispatcher counts. Labels come from code alone.
struct WebhookMetrics: Sendable {
  private let delivered = Counter(label: "martlet_webhooks_attempts_total", dimensions: [("outcome", "delivered")])
  private let failures = Dictionary(
    uniqueKeysWithValues: WebhookFailure.allCases.map { failure in
      (failure, Counter(label: "martlet_webhooks_attempts_total", dimensions: [("outcome", failure.rawValue)]))
    })
  private let dead = Counter(label: "martlet_webhooks_dead_total")
  private let surplus = Counter(label: "martlet_webhooks_surplus_total")
  private let disabled = Dictionary(
    uniqueKeysWithValues: WebhookDisabling.allCases.map { reason in
      (reason, Counter(label: "martlet_webhooks_disabled_total", dimensions: [("reason", reason.rawValue)]))
    })
  private let databaseFailures = Counter(label: "martlet_webhooks_database_failures_total")
  private let attemptTime = Timer(label: "martlet_webhooks_attempt_seconds")
  private let waitTime = Timer(label: "martlet_webhooks_wait_seconds")
  private let inFlight = Gauge(label: "martlet_webhooks_in_flight")

  /// `# HELP` for each.
  static let descriptions = [
    "martlet_webhooks_attempts_total": "Attempts to deliver a message, by their outcome",
    "martlet_webhooks_dead_total": "Deliveries given up after their last attempt or a 410",
    "martlet_webhooks_surplus_total": "Deliveries given up because too much waited for their webhook",
    "martlet_webhooks_disabled_total": "Webhooks disabled by themselves, by reason",
    "martlet_webhooks_database_failures_total": "Rounds of the dispatcher that PostgreSQL did not take and that are made again",
    "martlet_webhooks_attempt_seconds": "Time that one attempt took",
    "martlet_webhooks_wait_seconds": "Time from when a delivery was due until it was tried",
    "martlet_webhooks_in_flight": "Attempts under way",
  ]

  func attempted(_ verdict: Verdict) {
    let attempt = verdict.result.attempt
    if let failure = attempt.failure { failures[failure]?.increment() } else { delivered.increment() }
    if verdict.result.next == .dead { dead.increment() }
    attemptTime.recordNanoseconds(Int64(attempt.duration_ms) * 1_000_000)
  }

  func began(afterWaiting wait: Duration) { waitTime.recordNanoseconds(Int64(max(.zero, wait) / .nanoseconds(1))) }
  func gaveUp(_ count: Int) { surplus.increment(by: count) }
  func disabled(because reason: WebhookDisabling) { disabled[reason]?.increment() }
  func databaseFailed() { databaseFailures.increment() }
  func underWay(_ count: Int) { inFlight.record(count) }
}
