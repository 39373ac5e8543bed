import EventLog
import Logging
import Models
import ServiceLifecycle

/// Tells the commands whose deadline has passed. Every replica sweeps, and the log lets one of them tell each command.
struct DeadlineSweeper: Service {
  /// How late an expiry may be told.
  static let interval = Duration.milliseconds(250)
  private static let shardBatch = 256

  let log: any EventLog
  let failed: FailedCommands
  let logger: Logger

  func run() async throws {
    var isWorking = true
    while !Task.isShuttingDownGracefully {
      do {
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
      } catch {
        return
      }
      do {
        for shard in 0..<Bus.shardCount { try await sweep(shard) }
        isWorking = true
      } catch {
        if isWorking { logger.warning("Expired commands cannot be told: \(error)") }
        isWorking = false
      }
    }
  }

  private func sweep(_ shard: Int) async throws {
    let now = Timestamp.now()
    let overdue = try await log.overdueCommands(shard: shard, now: now, limit: Self.shardBatch)
    guard !overdue.isEmpty else { return }
    let outcomes = try await log.append(
      overdue.map { command in
        let failure = CommandFailure.timeout(command.id, command.type, wasSent: command.isSent)
        return LogEntry(.event(failure.event(of: command.applianceID, at: now)), order: now, step: .close(id: command.id))
      })
    failed.count(overdue.map { _ in .timeout }, outcomes)
  }
}
