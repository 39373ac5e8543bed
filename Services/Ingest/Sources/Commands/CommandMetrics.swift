import EventLog
import Metrics
import Models

/// What is counted of the commands of one lane.
struct CommandMetrics: Sendable {
  private let sent: Counter
  private let sendTime: Timer
  private let attemptFailures: Counter

  /// `# HELP` for each.
  static let descriptions = [
    "martlet_ingest_commands_sent_total": "Commands that the broker took for a device, by lane",
    "martlet_ingest_command_send_seconds": "Time from a command's acceptance until the broker had it, by lane",
    "martlet_ingest_command_attempt_failures_total":
      "Attempts to send a command that failed and are made again until its deadline, by lane",
    "martlet_ingest_commands_failed_total": "Commands that this replica told as failed, by code",
  ]

  init(lane: String) {
    let dimensions = [("lane", lane)]
    sent = Counter(label: "martlet_ingest_commands_sent_total", dimensions: dimensions)
    sendTime = Timer(label: "martlet_ingest_command_send_seconds", dimensions: dimensions)
    attemptFailures = Counter(label: "martlet_ingest_command_attempt_failures_total", dimensions: dimensions)
  }

  func sent(after time: Duration) {
    sent.increment()
    sendTime.recordNanoseconds(max(0, Int64(time / .nanoseconds(1))))
  }

  func attemptFailed() { attemptFailures.increment() }
}

/// Commands that this replica told as failed, by code.
struct FailedCommands: Sendable {
  private let counters = Dictionary(
    uniqueKeysWithValues: CommandFailure.Code.allCases.map { code in
      (code, Counter(label: "martlet_ingest_commands_failed_total", dimensions: [("code", code.rawValue)]))
    })

  /// Counts those that the log took; of the others another's word was first.
  func count(_ codes: [CommandFailure.Code], _ outcomes: [AppendOutcome]) {
    for (code, outcome) in zip(codes, outcomes) where outcome != .refused { counters[code]?.increment() }
  }
}
