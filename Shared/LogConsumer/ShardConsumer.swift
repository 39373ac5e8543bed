import Backoff
package import EventLog
import Logging
import Models
import PostgresClient
import ServiceLifecycle
import Store

/// Lets one shard of the log take effect, batch after batch, for as long as the shard is owned.
struct ShardConsumer: Sendable {
  let shard: Int
  let connection: PostgresConnection
  let log: any EventLog
  let effects: any LogEffects
  let limits: ConsumerLimits
  let progress: ShardProgress
  let metrics: ConsumerMetrics
  let logger: Logger

  /// Returns when `term` is over or the service is told to stop, after the batch in hand.
  ///
  /// - Throws: when the session cannot go on. A log that does not answer is asked again, for ever.
  func run(_ term: OwnershipTerm) async throws {
    let effects = try await effects.effects(of: shard, on: connection)
    var cursor = try await connection.run { session in
      try LogCursor.load(consumer: limits.consumer, shard: shard, in: session)
    }
    var size = ReadSize(recordsMax: limits.batchRecordsMax, bytesMax: limits.batchBytesMax)
    var trimmer = limits.trimInterval.map(Trimmer.init(interval:))
    var outage = LogOutage()
    while !term.isOver, !Task.isShuttingDownGracefully {
      guard let page = try await read(after: cursor.position, limit: size.records, &outage) else { continue }
      switch PageDecision(page, cursor: cursor) {
      case .idle:
        cursor = try await effects.idle(at: page.time, cursor)
        progress.stored(shard, through: cursor.position, hasMore: false)
      case .startOver(let next, let reason):
        tell(reason, cursor: cursor, page: page)
        cursor = try await cursor.move(to: next, on: connection)
        continue
      case .store:
        progress.read(shard, first: page.records[0].id)
        let isFull = page.records.count >= size.records
        size.learn(records: page.records.count, bytes: page.records.reduce(0) { $0 + $1.byteCount })
        cursor = try await effects.store(page.records, epoch: page.epoch, from: cursor)
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
  private func trim(_ trimmer: inout Trimmer?, _ cursor: LogCursor) async throws {
    guard trimmer?.isDue(at: .now, position: cursor.position) ?? false else { return }
    let slowest = try await connection.run { session in
      try LogCursor.slowest(shard: shard, epoch: cursor.epoch, in: session)
    }
    guard slowest > trimmer?.trimmedThrough ?? .zero else { return }
    do {
      try await log.trim(shard: shard, through: slowest)
      trimmer?.trimmed(through: slowest)
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

extension LogRecord {
  /// About how much memory it takes.
  fileprivate var byteCount: Int {
    switch content {
    case .event(let event): event.data.count + event.extras.count + 256
    case .deadLetter(let letter): letter.payload.count + letter.topic.utf8.count + 256
    }
  }

  /// What a dead letter keeps of it.
  package var keptPayload: [UInt8] {
    switch content {
    case .event(let event): event.encoded()
    case .deadLetter(let letter): letter.payload
    }
  }
}
