import EventLog
import LogConsumer
import Logging
import Models
import PostgresClient
import RuleEvaluation
import Store

/// The rules at work on one shard: the state of its appliances in memory, as it is stored, and the evaluator run over what the log brings.
actor ShardEngine: ShardEffects {
  private let shard: Int
  private let connection: PostgresConnection
  private let book: RuleBook
  private let interest: InterestBook
  private let outbox: OutboxSender
  private let seriesMax: Int
  private let metrics: RulesMetrics
  private let logger: Logger
  /// What is stored.
  private var states: [ApplianceID: ApplianceState]
  private var seriesCount: Int
  private var plans: RulePlans
  /// Whether what is remembered may belong to other rules than those of `plans`.
  private var mayHoldOthers = true
  private var clock = Timestamp(microseconds: 0)
  /// What webhooks were told, as far as it counts for what they are told next.
  private var told: WebhookMemory

  /// The rules were changed since the book was read: what was worked out by the old ones is not stored.
  private struct RulesChanged: Error {}

  init(
    shard: Int, connection: PostgresConnection, book: RuleBook, interest: InterestBook, outbox: OutboxSender, seriesMax: Int,
    metrics: RulesMetrics, logger: Logger
  ) async throws {
    (self.shard, self.connection, self.book, self.interest, self.outbox) = (shard, connection, book, interest, outbox)
    (self.seriesMax, self.metrics, self.logger) = (seriesMax, metrics, logger)
    plans = RulePlans(book.current)
    told = try await connection.run { session in try WebhookMemory.load(shard: shard, in: session) }
    var states: [ApplianceID: ApplianceState] = [:]
    for (id, bytes) in try await connection.run({ session in try RuleStates.load(shard: shard, in: session) }) {
      guard let id = try? ApplianceID(id), let state = ApplianceState(bytes) else {
        logger.error("What rules remember of an appliance cannot be read; they begin anew", metadata: ["appliance_id": "\(id)"])
        continue
      }
      states[id] = state
    }
    self.states = states
    seriesCount = states.values.reduce(0) { $0 + $1.series.count }
  }

  func store(_ records: [LogRecord], epoch: String, from cursor: LogCursor) async throws -> LogCursor {
    var cursor = try await cursor.adopting(epoch, on: connection)
    var bisection = Bisection(count: records.count)
    while let range = bisection.next {
      do {
        cursor = try await commit(evaluate(records[range], knownUntil: cursor.knownUntil), through: records[range].last, from: cursor)
        bisection.accepted()
      } catch is RulesChanged {
        try await renewBook()
      } catch let error as PostgresError where error.isRefusalOfData {
        guard let index = bisection.refused() else { continue }
        cursor = try await pass(records[index], because: error, from: cursor)
      }
    }
    try await outbox.send(shard, connection)
    return cursor
  }

  func idle(at time: Timestamp, _ cursor: LogCursor) async throws -> LogCursor {
    var pass = begin()
    pass.advance(to: time)
    var cursor = cursor
    if pass.isEmpty {
      keep(pass)
    } else {
      // What fell due is worked out anew with the next read.
      do { cursor = try await commit(pass, through: nil, from: cursor) } catch is RulesChanged { try await renewBook() }
    }
    try await outbox.send(shard, connection)
    return cursor
  }

  private func renewBook() async throws {
    let book = book
    try await connection.run { session in try book.renew(in: session) }
  }

  // MARK: One transaction

  private func begin() -> EvaluationPass {
    let current = book.current
    if current.revision != plans.edition.revision {
      plans = RulePlans(current)
      mayHoldOthers = true
    }
    var pass = EvaluationPass(
      states, plans, seriesCount: seriesCount, seriesMax: seriesMax, clock: clock, tidings: Tidings(told, interest.current))
    if mayHoldOthers { pass.forgetOthers() }
    return pass
  }

  private func evaluate(_ records: ArraySlice<LogRecord>, knownUntil: EventID) -> EvaluationPass {
    var pass = begin()
    // Behind a log that was lost or rolled back: what stood there has taken effect.
    for record in records where record.id > knownUntil { pass.take(record) }
    pass.advance(to: pass.clock)
    return pass
  }

  private func commit(_ pass: EvaluationPass, through last: LogRecord?, from cursor: LogCursor) async throws -> LogCursor {
    var next = cursor
    next.position = last?.id ?? cursor.position
    let (target, shard, edition, changes) = (next, shard, plans.edition, pass.changes)
    let rows = EffectRows(pass.effects, edition)
    var tidings = pass.tidings
    tidings.add(pass.firings, of: edition.byID, at: next.position)
    let (messages, remembered) = (tidings.rows, tidings.changes)
    try await connection.transaction { session in
      guard try RuleRows.revision(in: session).rules == edition.revision.rules else { throw RulesChanged() }
      try RuleStates.store(changes, shard: shard, in: session)
      try rows.write(in: session)
      try messages.write(in: session)
      try remembered.store(shard: shard, in: session)
      try cursor.move(to: target, in: session)
    }
    metrics.committed(pass)
    keep(pass)
    return target
  }

  private func keep(_ pass: EvaluationPass) {
    for (id, state) in pass.touched { states[id] = state.isEmpty ? nil : state }
    (seriesCount, clock, mayHoldOthers) = (pass.seriesCount, pass.clock, false)
    told.add(pass.tidings.changes, forgettingBefore: clock + (.zero - Tidings.readingInterval))
  }

  private func pass(_ record: LogRecord, because error: PostgresError, from cursor: LogCursor) async throws -> LogCursor {
    logger.error(
      "PostgreSQL refused what follows from a record of the log; it has no effect",
      metadata: ["shard": "\(shard)", "id": "\(record.id)", "error": "\(error)"])
    metrics.refused()
    var next = cursor
    next.position = record.id
    return try await cursor.move(to: next, on: connection)
  }
}
