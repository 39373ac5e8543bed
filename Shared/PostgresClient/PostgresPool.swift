import Backoff
package import Logging
import ServiceLifecycle

/// At most `connectionsMax` connections, made when needed, lent to one call at a time.
///
/// A caller waits for a free one, at most `leaseTimeout` and in order of arrival; at most `waitersMax` callers wait, the next
/// one is refused. A connection that broke is replaced by the next caller, who tries again with a jittered backoff until
/// its `leaseTimeout`. Connections close when the service shuts down.
package actor PostgresPool: Service {
  package struct Limits: Sendable {
    package var connectionsMax: Int
    package var waitersMax: Int
    package var leaseTimeout: Duration

    package init(connectionsMax: Int = 4, waitersMax: Int = 1024, leaseTimeout: Duration = .seconds(5)) {
      self.connectionsMax = connectionsMax
      self.waitersMax = waitersMax
      self.leaseTimeout = leaseTimeout
    }
  }

  /// On whose behalf the task changes something: triggers read it as `current_setting('martlet.caller', true)` in the same transaction.
  @TaskLocal package static var caller: String?

  private typealias Waiter = CheckedContinuation<PostgresConnection?, any Error>

  private let configuration: PostgresConfiguration
  private let limits: Limits
  private let logger: Logger
  private var state: PoolState<PostgresConnection, Waiter>

  package init(_ configuration: PostgresConfiguration, limits: Limits = Limits(), logger: Logger) {
    self.configuration = configuration
    self.limits = limits
    self.logger = logger
    self.state = PoolState(membersMax: limits.connectionsMax, waitersMax: limits.waitersMax)
  }

  /// Returns at graceful shutdown or cancellation, when all idle connections are closed; the lent ones follow when they come back.
  package func run() async throws {
    try? await gracefulShutdown()
    let (idle, waiters) = state.close()
    for waiter in waiters { waiter.resume(throwing: closed) }
    for connection in idle { await connection.close() }
  }

  /// Runs `body` on a connection. What it leaves behind in the session (settings, advisory locks) stays with the connection.
  ///
  /// - Parameter timeout: limit for `body`'s statements; the wait for a connection has its own, `leaseTimeout`.
  /// - Throws: what `body` throws; `PostgresError` `.exhausted`, `.closed`, or why no connection could be made.
  @discardableResult
  package func withConnection<R: Sendable>(
    timeout: Duration? = nil, _ body: @Sendable (PostgresSession) throws -> R
  ) async throws -> R {
    let connection = try await lease()
    do {
      let result = try await connection.run(timeout: timeout, body)
      await giveBack(connection)
      return result
    } catch {
      await giveBack(connection)
      throw error
    }
  }

  /// Runs `body` between BEGIN and COMMIT; rolls back when it throws or its task is cancelled.
  @discardableResult
  package func withTransaction<R: Sendable>(
    timeout: Duration? = nil, _ body: @Sendable (PostgresSession) throws -> R
  ) async throws -> R {
    let caller = Self.caller
    return try await withConnection(timeout: timeout) { session in
      try session.transaction {
        if let caller { try session.execute("SELECT set_config('martlet.caller', $1, true)", [.text(caller)]) }
        return try body(session)
      }
    }
  }

  package func query(_ sql: String, _ parameters: [PostgresValue] = [], timeout: Duration? = nil) async throws -> PostgresRows {
    try await withConnection(timeout: timeout) { session in try session.query(sql, parameters) }
  }

  @discardableResult
  package func execute(_ sql: String, _ parameters: [PostgresValue] = [], timeout: Duration? = nil) async throws -> Int {
    // What is set for the caller lasts for a transaction.
    guard Self.caller == nil else { return try await withTransaction(timeout: timeout) { session in try session.execute(sql, parameters) } }
    return try await withConnection(timeout: timeout) { session in try session.execute(sql, parameters) }
  }

  private func lease() async throws -> PostgresConnection {
    let deadline = ContinuousClock.now + limits.leaseTimeout
    guard !state.isClosed else { throw closed }
    let offered: PostgresConnection?
    switch state.lease() {
    case .member(let connection): offered = connection
    case .connect: offered = nil
    case .wait(let id): offered = try await waitForPlace(id, until: deadline)
    case .refused: throw exhausted("\(limits.waitersMax) callers wait for a connection already")
    }
    if let offered, await offered.isUsable() { return offered }
    return try await connect(until: deadline)
  }

  /// - Returns: the connection handed over, or nil for an empty place.
  private func waitForPlace(_ id: UInt64, until deadline: ContinuousClock.Instant) async throws -> PostgresConnection? {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        let isOver = (try? await Task.sleep(until: deadline)) != nil
        await self.abandon(id, isOver ? self.exhausted("No connection was free within the time allowed") : self.cancelled)
      }
      defer { group.cancelAll() }
      return try await withCheckedThrowingContinuation { state.enqueue(id, $0) }
    }
  }

  private func abandon(_ id: UInt64, _ error: PostgresError) {
    state.abandon(id)?.resume(throwing: error)
  }

  /// Connects in a place that this call holds, again and again until the deadline; vacates the place when it fails.
  private func connect(until deadline: ContinuousClock.Instant) async throws -> PostgresConnection {
    var backoff = Backoff(longest: .seconds(2))
    while true {
      do {
        var attempt = configuration
        attempt.connectTimeout = min(configuration.connectTimeout, deadline - .now)
        return try await PostgresConnection.connect(attempt, logger: logger)
      } catch {
        let pause = backoff.next()
        let isHopeless = !isWorthAnotherTry(error)
        guard !isHopeless, !state.isClosed, .now + pause < deadline, (try? await Task.sleep(for: pause)) != nil else {
          pass(nil)
          throw error
        }
      }
    }
  }

  /// While a password is being changed, the server and the file that it is read from may for a moment disagree.
  private func isWorthAnotherTry(_ error: any Error) -> Bool {
    guard let error = error as? PostgresError else { return false }
    return error.isTransient || (configuration.isPasswordRead && error.sqlState == "28P01")
  }

  private func giveBack(_ connection: PostgresConnection) async {
    let isUsable = await connection.isUsable()
    if !isUsable || state.isClosed { await connection.close() }
    pass(isUsable ? connection : nil)
  }

  private func pass(_ connection: PostgresConnection?) {
    state.giveBack(connection)?.resume(returning: connection)
  }

  private nonisolated var cancelled: PostgresError {
    PostgresError(.cancelled, message: "\(configuration): the call was cancelled while it waited for a connection")
  }

  private nonisolated var closed: PostgresError { PostgresError(.closed, message: "\(configuration): the connection pool is closed") }

  private nonisolated func exhausted(_ sentence: String) -> PostgresError {
    PostgresError(.exhausted, message: "\(configuration): \(sentence): raise the pool's limit of \(limits.connectionsMax) connections")
  }
}
