import Logging
import Models
import PostgresClient
import ServiceLifecycle
import Store

/// Forgets firings, and alarms that are over, once they are old. Any replica may, all at once too.
struct RuleSweeper: Service {
  let pool: PostgresPool
  let retention: Duration
  let logger: Logger

  private static let interval = Duration.seconds(600)
  /// Rows that one transaction removes, so that nobody waits long for it.
  private static let batch = 1000

  func run() async throws {
    await cancelWhenGracefulShutdown {
      // So that replicas that started together do not sweep together.
      while (try? await Task.sleep(for: Self.interval * Double.random(in: 0.5...1))) != nil {
        do {
          try await sweep(now: .now())
        } catch {
          logger.warning("old firings and alarms were not removed, which is tried again", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  func sweep(now: Timestamp) async throws {
    let oldest = now + (.zero - retention)
    while try await pool.withConnection({ session in try FiringRows.forget(before: oldest, limit: Self.batch, in: session) }) > 0 {}
    while try await pool.withConnection({ session in try AlarmRows.forget(clearedBefore: oldest, limit: Self.batch, in: session) }) > 0 {}
  }
}
