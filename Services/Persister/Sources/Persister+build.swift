import EventLog
import LogConsumer
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

    let audit = audit(configuration, context)
    let log = RedisEventLog(configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger)
    let progress = ShardProgress(consumer: configuration.limits.consumer)
    for (name, help) in PersisterMetrics.descriptions { context.metrics.describe(name, help) }
    context.metrics.addCollector("shards") { progress.samples(now: .now()) }
    context.health.addCheck("postgres") { try progress.check() }
    context.health.addCheck("log") { _ = try await log.usage() }
    let effects = PersisterEffects(daysAhead: configuration.daysAhead, logger: context.logger)
    return [log] + audit
      + ShardWorker.workers(
        configuration.postgres, configuration.limits, log: log, effects: effects, progress: progress, logger: context.logger)
  }

  /// What stores the audit log, with connections of its own: a flood of entries holds up no event.
  private static func audit(_ configuration: PersisterConfiguration, _ context: ServiceContext) -> [any Service] {
    for (name, help) in AuditCollector.descriptions { context.metrics.describe(name, help) }
    let redis = RedisClient(configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger)
    let pool = PostgresPool(configuration.postgres, limits: .init(connectionsMax: 2, waitersMax: 8), logger: context.logger)
    return [
      redis, pool, AuditCollector(redis: redis, pool: pool, logger: context.logger),
      AuditSweeper(pool: pool, days: configuration.auditDays, logger: context.logger),
    ]
  }
}

/// Rows, and partitions to put them in.
struct PersisterEffects: LogEffects {
  private let calendar: PartitionCalendar
  private let metrics = PersisterMetrics()
  private let logger: Logger

  init(daysAhead: Int, logger: Logger) {
    calendar = PartitionCalendar(daysAhead: daysAhead)
    self.logger = logger
  }

  func prepare(on connection: PostgresConnection) async throws { try await calendar.keepAhead(of: .now(), on: connection) }

  func effects(of shard: Int, on connection: PostgresConnection) -> any ShardEffects {
    BatchWriter(shard: shard, connection: connection, calendar: calendar, metrics: metrics, logger: logger)
  }
}
