package import Logging
import Models
package import PostgresClient
import ServiceLifecycle
import Store

/// Keeps the tables bounded: forgets old messages, gives up what too much waits behind. Any replica may, all at once too.
package struct WebhookSweeper: Service {
  private let pool: PostgresPool
  private let limits: WebhookLimits
  private let logger: Logger
  private let metrics = WebhookMetrics()

  /// How often silent sensors are forgotten, and how long they have been silent then.
  private static let forgetInterval = Duration.seconds(3600)
  private static let silence = Duration.seconds(86_400)
  /// Rows that one transaction touches.
  private static let batch = 5000

  package init(_ limits: WebhookLimits, pool: PostgresPool, logger: Logger) {
    (self.pool, self.limits, self.logger) = (pool, limits, logger)
  }

  package func run() async throws {
    await cancelWhenGracefulShutdown {
      var forgetAt = ContinuousClock.now
      // So that replicas that started together do not sweep together.
      while (try? await Task.sleep(for: limits.sweepInterval * Double.random(in: 0.5...1))) != nil {
        do {
          try await sweep()
          guard .now >= forgetAt else { continue }
          try await forgetSilentSensors()
          forgetAt = .now + Self.forgetInterval
        } catch {
          logger.warning("old webhook messages were not removed, which is tried again", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  private func forgetSilentSensors() async throws {
    let moment = Timestamp.now() + (.zero - Self.silence)
    try await pool.withConnection { session in try WebhookMemory.forget(toldBefore: moment, in: session) }
  }

  func sweep() async throws {
    var count: Int
    repeat {
      let oldest = Timestamp.now() + (.zero - limits.retention)
      count = try await pool.withTransaction { session in
        try WebhookQueue.sweep(storedBefore: oldest, limit: Self.batch, in: session)
      }
    } while count == Self.batch
    repeat {
      count = try await pool.withTransaction { session in
        try WebhookQueue.giveUpSurplus(keeping: limits.waitingMax, limit: Self.batch, in: session)
      }
      metrics.gaveUp(count)
    } while count >= Self.batch
  }
}
