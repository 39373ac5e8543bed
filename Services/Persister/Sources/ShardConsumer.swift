import Backoff
import EventLog
import Logging
import Models
import PostgresClient
import ServiceLifecycle
import Store

/// Moves one shard of the log into PostgreSQL, batch after batch, for as long as the shard is owned.
struct ShardConsumer: Sendable {
  let shard: Int
  let log: any EventLog
  let writer: BatchWriter
  let limits: PersisterLimits
  let progress: ShardProgress
  let metrics: PersisterMetrics
  let logger: Logger

  /// Returns when `term` is over or the service is told to stop, after the batch in hand.
  ///
  /// - Throws: when the session cannot go on. A log that does not answer is asked again, for ever.
  func run(_ term: OwnershipTerm) async throws {
    var cursor = try await writer.connection.run { session in
      try LogCursor.load(consumer: limits.consumer, shard: shard, in: session)
    }
    var size = ReadSize(recordsMax: limits.batchRecordsMax, bytesMax: limits.batchBytesMax)
    var trimmer = Trimmer(interval: limits.trimInterval)
    var outage = LogOutage()
    while !term.isOver, !Task.isShuttingDownGracefully {
      guard let page = try await read(after: cursor.position, limit: size.records, &outage) else { continue }
      switch PageDecision(page, cursor: cursor) {
      case .idle:
        progress.stored(shard, through: cursor.position, hasMore: false)
      case .startOver(let next, let reason):
        tell(reason, cursor: cursor, page: page)
        cursor = try await writer.move(cursor, to: next)
        continue
      case .store:
        progress.read(shard, first: page.records[0].id)
        let isFull = page.records.count >= size.records
        size.learn(records: page.records.count, bytes: page.records.reduce(0) { $0 + $1.byteCount })
        cursor = try await writer.store(page.records, epoch: page.epoch, from: cursor)
        progress.stored(shard, through: cursor.position, hasMore: isFull)
      }
      try await trim(&trimmer, cursor)
    }
  }

  /// - Returns: nil when the log did not answer; a pause lies behind it then.
  private func read(after position: EventID, limit: Int, _ outage: inout LogOutage) async throws -> LogPage? {
    do {
      let page = try await log.read(shard: shard, after: position, limit: limit, wait: limits.readWait)
      if outage.end() { logger.notice("The log answers again", metadata: ["shard": "\(shard)"]) }
      return page
    } catch {
      try Task.checkCancellation()
      metrics.readFailed()
      let (pause, isFirst) = outage.failed()
      // Once an outage: sixteen shards that each tell of every attempt would drown the rest.
      if isFirst { logger.warning("The log cannot be read; it is asked again", metadata: ["shard": "\(shard)", "error": "\(error)"]) }
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
      try Task.checkCancellation()
      return nil
    }
  }

  private func tell(_ reason: PageDecision.Reason, cursor: LogCursor, page: LogPage) {
    metrics.startedOver(reason)
    let sentence =
      switch reason {
      case .newEpoch: "The log was lost: the new one is read from its beginning"
      case .rolledBack: "The log is behind what was stored of it: it is read from its beginning, and nothing is stored twice"
      }
    logger.error(
      "\(sentence)",
      metadata: [
        "shard": "\(shard)", "stored_through": "\(cursor.position)", "log_last_id": "\(page.lastID)", "epoch": "\(page.epoch)",
        "epoch_before": "\(cursor.epoch)",
      ])
  }

  /// Lets the log forget what every consumer has stored. A log that cannot be trimmed now is trimmed later.
  private func trim(_ trimmer: inout Trimmer, _ cursor: LogCursor) async throws {
    guard trimmer.isDue(at: .now, position: cursor.position) else { return }
    let slowest = try await writer.connection.run { session in
      try LogCursor.slowest(shard: shard, epoch: cursor.epoch, in: session)
    }
    guard slowest > trimmer.trimmedThrough else { return }
    do {
      try await log.trim(shard: shard, through: slowest)
      trimmer.trimmed(through: slowest)
    } catch {
      try Task.checkCancellation()
      logger.warning("The log cannot be trimmed; it is tried again", metadata: ["shard": "\(shard)", "error": "\(error)"])
    }
  }
}

/// Failures of the log in a row.
private struct LogOutage {
  private var backoff = Backoff()
  private var isOn = false

  mutating func failed() -> (pause: Duration, isFirst: Bool) {
    defer { isOn = true }
    return (backoff.next(), !isOn)
  }

  /// - Returns: whether there was one.
  mutating func end() -> Bool {
    defer { self = LogOutage() }
    return isOn
  }
}

/// When to trim: not more often than once an interval, and not when there is nothing new.
struct Trimmer {
  private let interval: Duration
  private var nextAt: ContinuousClock.Instant?
  private(set) var trimmedThrough = EventID.zero

  init(interval: Duration) { self.interval = interval }

  mutating func isDue(at now: ContinuousClock.Instant, position: EventID) -> Bool {
    guard position > trimmedThrough, nextAt.map({ now >= $0 }) ?? true else { return false }
    nextAt = now + interval
    return true
  }

  mutating func trimmed(through id: EventID) { trimmedThrough = id }
}
