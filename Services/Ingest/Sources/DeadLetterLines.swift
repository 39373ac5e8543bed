import Models

/// The lines that dead letters get in the service's log. Pure.
struct DeadLetterLines {
  private var budget: LineBudget

  init(linesMax: Int = 10, span: Duration = .seconds(10)) { budget = LineBudget(linesMax: linesMax, span: span) }

  /// - Returns: the line for this dead letter, or `nil` when there were enough. It holds at most 64 bytes of the payload; of a heater module's 1 KiB, as SPEC has it for reefnet.
  mutating func line(for message: Intake.RejectedMessage, at now: Timestamp) -> String? {
    guard let suppressedCount = budget.admit(at: now) else { return nil }
    let earlier = suppressedCount == 0 ? "" : " (and \(suppressedCount) more since the line before)"
    let topic = LineBudget.escaped(message.topic.utf8, bytesMax: 128)
    let start = LineBudget.escaped(message.payload, bytesMax: message.topic.hasPrefix("reefnet/") ? ReefnetRefusal.loggedBytesMax : 64)
    return "A message on '\(topic)' is a dead letter: \(message.rejection.explanation); it starts with '\(start)'\(earlier)"
  }
}
