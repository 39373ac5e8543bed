import Metrics

/// What the rules count besides what every consumer of the log does. Labels come from code alone.
struct RulesMetrics: Sendable {
  /// What became of a rule's command.
  enum Outcome: String, CaseIterable { case accepted, failed, expired }

  private let evaluations = Counter(label: "martlet_rules_evaluations_total")
  private let firings = Counter(label: "martlet_rules_firings_total")
  private let late = Counter(label: "martlet_rules_late_samples_total")
  private let unwatched = Counter(label: "martlet_rules_unwatched_samples_total")
  private let refusedRecords = Counter(label: "martlet_rules_refused_records_total")
  private let outboxFailures = Counter(label: "martlet_rules_outbox_failures_total")
  private let commands = Dictionary(
    uniqueKeysWithValues: Outcome.allCases.map { outcome in
      (outcome, Counter(label: "martlet_rules_commands_total", dimensions: [("outcome", outcome.rawValue)]))
    })

  /// `# HELP` for each.
  static let descriptions = [
    "martlet_rules_evaluations_total": "Pairs of a rule and a sample, or an event, that were looked at",
    "martlet_rules_firings_total": "Firings stored",
    "martlet_rules_late_samples_total": "Samples among the evaluations that were older than the newest and did not count",
    "martlet_rules_unwatched_samples_total": "Samples among the evaluations for which there was no room for another series",
    "martlet_rules_refused_records_total": "Records whose effects PostgreSQL refused",
    "martlet_rules_outbox_failures_total": "Attempts to append events of rules that the log did not take",
    "martlet_rules_commands_total": "Commands of rules: accepted by the log, refused, or too old to be sent",
    "martlet_rules_log_resets_total": "How often the log was found lost or rolled back and was read anew",
    "martlet_rules_read_failures_total": "Reads that the log did not answer",
    "martlet_rules_session_failures_total": "Sessions with PostgreSQL that failed or could not be made",
    "martlet_rules_lag_seconds": "Age of the oldest record of an owned shard that has not taken effect; 0 when all have",
    "martlet_rules_shards_owned": "Shards that this replica consumes",
    "martlet_rules_sessions": "Sessions with PostgreSQL that consume",
  ]

  func committed(_ pass: EvaluationPass) {
    evaluations.increment(by: pass.evaluationCount)
    firings.increment(by: pass.firings.count)
    late.increment(by: pass.lateCount)
    unwatched.increment(by: pass.refusedCount)
  }

  func refused() { refusedRecords.increment() }
  func outboxFailed() { outboxFailures.increment() }
  func commanded(_ outcome: Outcome) { commands[outcome]?.increment() }
}
