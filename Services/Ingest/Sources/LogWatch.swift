import EventLog
import Logging
import ServiceLifecycle

/// Asks the log once a second how full it is, and works the valve.
struct LogWatch: Service {
  let log: any EventLog
  let percentMax: Int
  let valve: LogValve
  let metrics: IngestMetrics
  let logger: Logger
  var interval = Duration.seconds(1)

  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      var budget = LogBudget(percentMax: percentMax)
      while !Task.isCancelled {
        await measure(&budget)
        try await Task.sleep(for: interval)
      }
    }
    // A batch in hand at the end is not to be appended past the budget, and not to be waited for.
  }

  private func measure(_ budget: inout LogBudget) async {
    // A log that does not answer is noticed by the appends; the valve stays as it is.
    guard let usage = try? await log.usage() else { return }
    metrics.measured(usage)
    let was = budget.isExceeded
    budget.update(usedBytes: usage.used_bytes, limitBytes: usage.limit_bytes)
    guard was != budget.isExceeded else { return }
    valve.set(isOpen: !budget.isExceeded)
    metrics.paused(budget.isExceeded)
    if budget.isExceeded {
      logger.error(
        "The log is past \(percentMax) % of its memory: device messages wait at the broker until the persister has caught up.")
    } else {
      logger.notice("The log has room again: device messages are taken in.")
    }
  }
}
