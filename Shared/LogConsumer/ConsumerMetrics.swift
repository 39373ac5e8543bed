import Metrics

/// What each consumer of the log counts, under its own name.
struct ConsumerMetrics: Sendable {
  private let startOvers: [PageDecision.Reason: Counter]
  private let readFailures: Counter
  private let sessionFailures: Counter

  init(consumer: String) {
    startOvers = Dictionary(
      uniqueKeysWithValues: PageDecision.Reason.allCases.map { reason in
        (reason, Counter(label: "martlet_\(consumer)_log_resets_total", dimensions: [("reason", reason.rawValue)]))
      })
    readFailures = Counter(label: "martlet_\(consumer)_read_failures_total")
    sessionFailures = Counter(label: "martlet_\(consumer)_session_failures_total")
  }

  func startedOver(_ reason: PageDecision.Reason) { startOvers[reason]?.increment() }
  func readFailed() { readFailures.increment() }
  func sessionFailed() { sessionFailures.increment() }
}
