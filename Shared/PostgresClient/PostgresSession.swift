import CLibpq
import Logging

/// One libpq connection, used on its own thread only: `PostgresConnection` lends it to closures that run there. Calls block
/// that thread, never longer than the call's deadline and the grace.
package final class PostgresSession {
  private static let preparedStatementsMax = 64

  let connection: OpaquePointer
  let endpoint: String
  let wake: WakePipe
  let logger: Logger
  let grace: Duration
  private var statements = StatementCache(capacity: preparedStatementsMax)

  /// When the present call must be over.
  var deadline: ContinuousClock.Instant
  /// When the present wait must be over: the deadline, or the end of the grace after an interruption.
  var limit: ContinuousClock.Instant
  /// Why the present statement was asked to stop.
  var interruption: PostgresError.Code?
  /// True while cleaning up, which a cancelled task must still do.
  var isCleaningUp = false
  /// True once nothing more may be sent: the connection broke, or a request to cancel could strike a later statement.
  var isSpent = false

  init(
    connection: OpaquePointer, configuration: PostgresConfiguration, wake: WakePipe, logger: Logger, deadline: ContinuousClock.Instant
  ) {
    self.connection = connection
    self.endpoint = configuration.endpoint
    self.grace = configuration.cancelGrace
    self.wake = wake
    self.logger = logger
    self.deadline = deadline
    self.limit = deadline
  }

  deinit { PQfinish(connection) }

  /// Runs one statement and returns its rows.
  ///
  /// - Parameter sql: one statement with `$1`… for the parameters. It is prepared once per connection.
  package func query(_ sql: String, _ parameters: [PostgresValue] = []) throws(PostgresError) -> PostgresRows {
    try run(sql, parameters).rows()
  }

  /// Runs one statement and returns how many rows it touched.
  @discardableResult
  package func execute(_ sql: String, _ parameters: [PostgresValue] = []) throws(PostgresError) -> Int {
    try run(sql, parameters).affectedRows
  }

  /// Runs any number of statements without parameters, as one transaction unless they say otherwise or one is open.
  package func executeScript(_ sql: String) throws(PostgresError) {
    try start()
    try sent(PQsendQuery(connection, sql))
    _ = try finish(expecting: [PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY])
  }

  /// Sends rows to the server.
  ///
  /// - Parameter sql: `COPY table (columns) FROM STDIN (FORMAT binary)`, with the writer's columns in their order.
  /// - Returns: the number of rows stored.
  @discardableResult
  package func copyIn(_ sql: String, _ rows: consuming PostgresCopyWriter) throws(PostgresError) -> Int {
    try start()
    try sent(PQsendQuery(connection, sql))
    _ = try finish(expecting: [PGRES_COPY_IN])
    try sendCopyData(rows.finished())
    try sent(PQputCopyEnd(connection, nil))
    return try finish(expecting: [PGRES_COMMAND_OK]).affectedRows
  }

  /// Runs `body` between BEGIN and COMMIT, and rolls back when it throws. Transactions do not nest.
  @discardableResult
  package func transaction<R>(_ body: () throws -> R) throws -> R {
    guard PQtransactionStatus(connection) == PQTRANS_IDLE || isSpent else {
      throw error(.unexpectedResult, "A transaction is open on this connection already")
    }
    try execute("BEGIN")
    do {
      let result = try body()
      try commit()
      return result
    } catch {
      rollBack()
      throw error
    }
  }

  /// The server answers COMMIT with success even when an earlier statement's error had doomed the transaction.
  private func commit() throws(PostgresError) {
    guard PQtransactionStatus(connection) != PQTRANS_INERROR else {
      throw error(.refused, "The transaction cannot be committed: one of its statements failed", sqlState: "25P02")
    }
    try execute("COMMIT")
  }

  private func rollBack() {
    guard !isSpent, PQtransactionStatus(connection) != PQTRANS_IDLE else { return }
    isCleaningUp = true
    defer { isCleaningUp = false }
    deadline = .now + grace
    do throws(PostgresError) {
      try execute("ROLLBACK")
    } catch {
      isSpent = true
      logger.debug("PostgreSQL rollback failed; the connection is closed", metadata: ["error": "\(error)"])
    }
  }

  private func run(_ sql: String, _ parameters: [PostgresValue]) throws(PostgresError) -> StatementResult {
    let types = parameters.map(\.typeID)
    let key = StatementCache.Key(sql: sql, types: types)
    let statement = statements.use(key)
    for evicted in statement.evicted { try executeScript("DEALLOCATE \(evicted)") }
    if statement.isNew {
      try start()
      try sent(PQsendPrepare(connection, statement.name, sql, CInt(types.count), types))
      _ = try finish(expecting: [PGRES_COMMAND_OK])
      statements.remember(key, name: statement.name)
    }
    try start()
    try sent(
      ParameterBlock(parameters).withPointers { values, lengths, formats in
        PQsendQueryPrepared(connection, statement.name, CInt(parameters.count), values, lengths, formats, 1)
      })
    do throws(PostgresError) {
      return try finish(expecting: [PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY])
    } catch {
      // "cached plan must not change result type": the tables changed, so the next use prepares anew.
      if error.sqlState == "0A000" { statements.forget(key) }
      throw error
    }
  }
}
