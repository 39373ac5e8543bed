package import Logging

/// One connection to PostgreSQL with a thread of its own. What runs on it is lent a `PostgresSession`, synchronously, so
/// statements of two callers never mix and a transaction is one uninterrupted stretch.
///
/// A call ends when its task is cancelled or its deadline passes: the server is asked to stop, and has the configuration's
/// `cancelGrace` to say so before the connection is given up. A server that does not answer at all costs the deadline and that grace.
package actor PostgresConnection {
  private let executor: ThreadExecutor
  private let configuration: PostgresConfiguration
  private let logger: Logger
  private let wake: WakePipe
  private var session: PostgresSession?

  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// - Throws: `PostgresError`: `.unreachable`, `.authentication`, `.tls`, `.timeout`, `.cancelled`.
  package static func connect(_ configuration: PostgresConfiguration, logger: Logger) async throws -> PostgresConnection {
    guard let wake = WakePipe(), let executor = ThreadExecutor.start() else {
      throw PostgresError(.unreachable, message: "\(configuration): the system gives this process no more threads or descriptors")
    }
    let connection = PostgresConnection(configuration, executor: executor, wake: wake, logger: logger)
    try await connection.open()
    return connection
  }

  private init(_ configuration: PostgresConfiguration, executor: ThreadExecutor, wake: WakePipe, logger: Logger) {
    self.configuration = configuration
    self.executor = executor
    self.wake = wake
    self.logger = logger
  }

  isolated deinit {
    session = nil
    executor.stop()
  }

  /// Runs `body` on the connection's thread.
  ///
  /// - Parameter timeout: limit for all of `body`'s statements together; the configuration's `callTimeout` if nil.
  /// - Throws: what `body` throws; `.closed` after `close`.
  @discardableResult
  package func run<R: Sendable>(timeout: Duration? = nil, _ body: @Sendable (PostgresSession) throws -> R) async throws -> R {
    try await withTaskCancellationHandler {
      guard let session else {
        throw PostgresError(.closed, message: "\(configuration): the connection is closed")
      }
      session.deadline = .now + (timeout ?? configuration.callTimeout)
      return try body(session)
    } onCancel: {
      wake.signal()
    }
  }

  /// Runs `body` between BEGIN and COMMIT; rolls back when it throws or its task is cancelled.
  ///
  /// After `.connectionLost` or `.timeout` it is not known whether the COMMIT took effect.
  @discardableResult
  package func transaction<R: Sendable>(timeout: Duration? = nil, _ body: @Sendable (PostgresSession) throws -> R) async throws -> R {
    try await run(timeout: timeout) { session in try session.transaction { try body(session) } }
  }

  package func query(_ sql: String, _ parameters: [PostgresValue] = [], timeout: Duration? = nil) async throws -> PostgresRows {
    try await run(timeout: timeout) { session in try session.query(sql, parameters) }
  }

  @discardableResult
  package func execute(_ sql: String, _ parameters: [PostgresValue] = [], timeout: Duration? = nil) async throws -> Int {
    try await run(timeout: timeout) { session in try session.execute(sql, parameters) }
  }

  /// True when the connection can serve another call. Asks the socket, not the server.
  package func isUsable() -> Bool { session?.isUsable ?? false }

  /// Closes the connection; calls after this throw `.closed`.
  package func close() { session = nil }

  private func open() async throws {
    session = try await withTaskCancellationHandler {
      try PostgresSession.connect(configuration, wake: wake, logger: logger)
    } onCancel: {
      wake.signal()
    }
  }
}
