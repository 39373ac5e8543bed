import Backoff
package import EventLog
package import Logging
import Models
package import PostgresClient
import ServiceLifecycle
import Store

/// One session with PostgreSQL and the shards that it owns. The locks and all writing are on that one session: a worker that loses it
/// has lost the right and the means to write at the same moment.
///
/// Never gives up: whatever happens to PostgreSQL, it connects again after a jittered pause.
package struct ShardWorker: Service {
  private let configuration: PostgresConfiguration
  private let log: any EventLog
  private let effects: any LogEffects
  private let limits: ConsumerLimits
  private let progress: ShardProgress
  private let metrics: ConsumerMetrics
  private let logger: Logger

  /// The workers of one replica, `limits.workers` of them. They may run side by side with those of any other.
  package static func workers(
    _ configuration: PostgresConfiguration, _ limits: ConsumerLimits, log: any EventLog, effects: any LogEffects, progress: ShardProgress,
    logger: Logger
  ) -> [ShardWorker] {
    let worker = ShardWorker(
      configuration: configuration, log: log, effects: effects, limits: limits, progress: progress,
      metrics: ConsumerMetrics(consumer: limits.consumer), logger: logger)
    return Array(repeating: worker, count: limits.workers)
  }

  /// Returns at graceful shutdown or cancellation.
  package func run() async throws {
    var backoff = Backoff(shortest: .milliseconds(100))
    while !Task.isShuttingDownGracefully, !Task.isCancelled {
      do {
        try await serveOneSession(&backoff)
      } catch {
        guard !Task.isCancelled else { return }
        metrics.sessionFailed()
        logger.error("PostgreSQL cannot be written to; it is tried again", metadata: ["error": "\(error)"])
        let pause = backoff.next()
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
      }
    }
  }

  private func serveOneSession(_ backoff: inout Backoff) async throws {
    let connection = try await PostgresConnection.connect(configuration, logger: logger)
    var owned: Set<Int> = []
    progress.opened()
    do {
      try await connection.run { session in try locks.join(in: session) }
      backoff.reset()
      while !Task.isShuttingDownGracefully {
        try await effects.prepare(on: connection)
        owned = try await takeShare(owned, connection)
        try await consume(owned, connection)
      }
      progress.released(owned)
      progress.closed()
      await connection.close()
    } catch {
      progress.lost(owned, at: .now())
      await connection.close()
      throw error
    }
  }

  private var locks: ShardLocks { ShardLocks(consumer: limits.consumer) }

  /// Gives up what is another's share, and takes what is free of the own.
  private func takeShare(_ owned: Set<Int>, _ connection: PostgresConnection) async throws -> Set<Int> {
    let now = try await connection.run { session in
      let plan = try plan(in: session)
      for shard in owned.subtracting(plan.shards) { try locks.release(shard, in: session) }
      let taken = try plan.shards.subtracting(owned).filter { shard in try locks.take(shard, in: session) }
      return owned.intersection(plan.shards).union(taken)
    }
    progress.released(owned.subtracting(now))
    if now != owned {
      logger.info("shards shared anew", metadata: ["shards": "\(now.sorted())"])
    }
    return now
  }

  /// Consumes the owned shards until the share should be another, or the day has changed.
  private func consume(_ owned: Set<Int>, _ connection: PostgresConnection) async throws {
    let term = OwnershipTerm()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for shard in owned {
        let consumer = ShardConsumer(
          shard: shard, connection: connection, log: log, effects: effects, limits: limits, progress: progress, metrics: metrics,
          logger: logger)
        group.addTask { try await consumer.run(term) }
      }
      group.addTask {
        try await waitForChange(owned, connection)
        term.end()
      }
      // The first error ends the others too: `waitForAll` would wait for them.
      for try await _ in group {}
    }
  }

  private func waitForChange(_ owned: Set<Int>, _ connection: PostgresConnection) async throws {
    let day = PartitionDay(of: .now())
    while !Task.isShuttingDownGracefully, PartitionDay(of: .now()) == day {
      // Ends early, and with an error, at a shutdown.
      guard (try? await cancelWhenGracefulShutdown({ try await Task.sleep(for: limits.shareInterval) })) != nil else { return }
      let isRight = try await connection.run { session in
        let plan = try plan(in: session)
        guard plan.shards != owned else { return true }
        // What is missing may still be another's: a new term is only worth it when there is something to give or to get.
        return try plan.shards.isSuperset(of: owned) && !plan.shards.subtracting(owned).contains { try isFree($0, session) }
      }
      if !isRight { return }
    }
  }

  private func plan(in session: PostgresSession) throws(PostgresError) -> ShardPlan {
    let members = try locks.members(in: session)
    return ShardPlan(shardCount: Bus.shardCount, members: members.all, own: members.own)
  }

  private func isFree(_ shard: Int, _ session: PostgresSession) throws(PostgresError) -> Bool {
    guard try locks.take(shard, in: session) else { return false }
    try locks.release(shard, in: session)
    return true
  }
}
