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
import Webhooks

/// Event log in; alarms, events and commands out. This file is the only place where the parts are put together.
package enum Rules {
  /// Everything. PostgreSQL and Redis are asked first, so that a wrong address or password and a missing migration are told at once.
  package static func build(_ configuration: RulesConfiguration, _ context: ServiceContext) async throws -> [any Service] {
    try await RedisClient.check(configuration.redis, eventLoop: context.eventLoopGroup.next())
    let connection = try await PostgresConnection.connect(configuration.postgres, logger: context.logger)
    try await Migrator().requireCurrent(connection)
    let book = RuleBook(try await connection.run { session in try RuleRows.read(in: session) }, logger: context.logger)
    await connection.close()

    let log = RedisEventLog(configuration: configuration.redis, eventLoopGroup: context.eventLoopGroup, logger: context.logger)
    let pool = PostgresPool(configuration.postgres, limits: .init(connectionsMax: 2), logger: context.logger)
    let progress = ShardProgress(consumer: configuration.limits.consumer)
    for (name, help) in RulesMetrics.descriptions { context.metrics.describe(name, help) }
    context.metrics.addCollector("shards") { progress.samples(now: .now()) }
    context.health.addCheck("postgres") { try progress.check() }
    context.health.addCheck("log") { _ = try await log.usage() }
    let interest = InterestBook()
    let effects = RulesEffects(book: book, interest: interest, log: log, seriesMax: configuration.seriesMax, logger: context.logger)
    // A pool of its own, so that neither waits for the other.
    let webhookPool = PostgresPool(configuration.postgres, limits: .init(connectionsMax: 2), logger: context.logger)
    for (name, help) in WebhookDispatcher.metricDescriptions { context.metrics.describe(name, help) }
    let webhooks: [any Service] = [
      webhookPool, WebhookSweeper(configuration.webhooks.limits, pool: webhookPool, logger: context.logger),
      WebhookDispatcher(configuration.webhooks, pool: webhookPool, group: context.eventLoopGroup, logger: context.logger),
    ]
    let keepers: [any Service] = [
      BookKeeper(pool: pool, book: book, interest: interest, logger: context.logger),
      RuleSweeper(pool: pool, retention: configuration.retention, logger: context.logger),
    ]
    return [log, pool] + keepers + webhooks
      + ShardWorker.workers(
        configuration.postgres, configuration.limits, log: log, effects: effects, progress: progress, logger: context.logger)
  }
}

/// The rules of one replica, for each shard that it owns.
struct RulesEffects: LogEffects {
  let book: RuleBook
  let interest: InterestBook
  let log: any EventLog
  let seriesMax: Int
  let logger: Logger
  private let metrics = RulesMetrics()

  init(book: RuleBook, interest: InterestBook, log: any EventLog, seriesMax: Int, logger: Logger) {
    (self.book, self.interest, self.log, self.seriesMax, self.logger) = (book, interest, log, seriesMax, logger)
  }

  func effects(of shard: Int, on connection: PostgresConnection) async throws -> any ShardEffects {
    // By older rules than the shard's last owner had, what that one remembered would be taken for something of a rule that is gone.
    try await connection.run { session in
      try book.renew(in: session)
      try interest.renew(in: session)
    }
    return try await ShardEngine(
      shard: shard, connection: connection, book: book, interest: interest,
      outbox: OutboxSender(log: log, book: book, metrics: metrics, logger: logger), seriesMax: seriesMax, metrics: metrics, logger: logger)
  }
}
