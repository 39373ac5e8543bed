import EventLog
import Logging
import Models
import NIOCore
import PostgresClient
import RedisClient
package import ServiceLifecycle
package import ServiceRuntime
import Store

/// Event log in, PostgreSQL out. This file is the only place where the parts are put together.
package enum Persister {
  /// Everything. PostgreSQL and Redis are asked first, so that a wrong address or password and a missing migration are told at once.
  package static func build(_ configuration: PersisterConfiguration, _ context: ServiceContext) async throws -> [any Service] {
    try await RedisClient.check(configuration.redis, eventLoop: context.eventLoopGroup.next())
    let connection = try await PostgresConnection.connect(configuration.postgres, logger: context.logger)
    try await Migrator().requireCurrent(connection)
    await connection.close()

    let log = RedisEventLog(configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger)
    let progress = ShardProgress()
    for (name, help) in PersisterMetrics.descriptions { context.metrics.describe(name, help) }
    let consumer = configuration.limits.consumer
    context.metrics.addCollector("shards") { progress.samples(consumer: consumer, now: .now()) }
    context.health.addCheck("postgres") { try progress.check() }
    context.health.addCheck("log") { _ = try await log.usage() }
    return [log] + workers(configuration.postgres, configuration.limits, log: log, progress: progress, logger: context.logger)
  }

  /// The workers of one replica. They may run side by side with those of any other.
  static func workers(
    _ postgres: PostgresConfiguration, _ limits: PersisterLimits, log: any EventLog, progress: ShardProgress, logger: Logger
  ) -> [any Service] {
    let calendar = PartitionCalendar(daysAhead: limits.daysAhead)
    let metrics = PersisterMetrics()
    return (0..<limits.workers).map { _ in
      ShardWorker(
        configuration: postgres, log: log, limits: limits, calendar: calendar, progress: progress, metrics: metrics, logger: logger)
    }
  }
}
