package import Logging
package import NIOCore
import ServiceLifecycle
import Synchronization

/// A client of one Redis server: one connection, many calls under way on it at a time, answered in order (pipelining).
///
/// `run()` keeps the connection. A call that comes while there is none waits for it until its deadline, then fails with why the last attempt to
/// connect failed (`unreachable`, `tls`, `authentication`). A call under way when the connection breaks fails with `closed` and is never sent again by
/// itself. Every call has a deadline; the calls that wait are bounded (`RedisConfiguration.Limits`), and one too many fails with `overloaded`. A
/// blocking command blocks every call behind it: give it a client of its own.
package final class RedisClient: Service, Sendable {
  package let configuration: RedisConfiguration
  private let connector: RedisConnector
  private let logger: Logger
  private let dispatcher: NIOLoopBoundBox<CallDispatcher>
  private let lastCallID = Atomic<UInt64>(0)

  package init(configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
    connector = RedisConnector(configuration: configuration, eventLoop: eventLoop)
    dispatcher = .makeBoxSendingValue(CallDispatcher(configuration: configuration, eventLoop: eventLoop), eventLoop: eventLoop)
  }

  package convenience init(configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger) {
    self.init(configuration: configuration, eventLoop: eventLoopGroup.next(), logger: logger)
  }

  private var eventLoop: any EventLoop { connector.eventLoop }

  /// Keeps the connection until graceful shutdown or cancellation; calls that still wait then fail with `closed`.
  package func run() async throws {
    let (connector, dispatcher, logger, limits) = (connector, dispatcher, logger, configuration.limits)
    await cancelWhenGracefulShutdown {
      await connector.keepConnected(logger: logger) { failure in
        connector.eventLoop.execute { dispatcher.value.lastFailure = failure }
      } install: { channel in
        try channel.pipeline.syncOperations.addHandler(CommandHandler(dispatcher: dispatcher.value, limits: limits))
      }
    }
    try await eventLoop.submit { dispatcher.value.shutDown() }.get()
  }

  /// Connects and logs in once, without a `run()`: what a service does at its start to tell a wrong address or password in one sentence.
  package static func check(_ configuration: RedisConfiguration, eventLoop: any EventLoop) async throws(RedisError) {
    let channel = try await RedisConnector(configuration: configuration, eventLoop: eventLoop).connect { _ in }
    channel.close(promise: nil)
  }

  /// Sends one command. Throws `RedisError`, also for an error reply, or `CancellationError`.
  package func send(_ command: RedisCommand, timeout: Duration? = nil) async throws -> RESPValue {
    guard let reply = try await pipeline([command], timeout: timeout).first else {
      throw RedisError(.protocolViolation, "Redis at \(configuration.address) sent no reply")
    }
    return try reply.get()
  }

  /// Sends commands in one write. One outcome for each, in their order; throws when the replies did not all come.
  package func pipeline(_ commands: [RedisCommand], timeout: Duration? = nil) async throws -> [Result<RESPValue, RedisError>] {
    guard !commands.isEmpty else { return [] }
    try Task.checkCancellation()
    var request = ByteBufferAllocator().buffer(capacity: commands.reduce(0) { $0 + $1.byteCount + 16 })
    for command in commands { command.encode(into: &request) }
    let id = lastCallID.wrappingAdd(1, ordering: .relaxed).newValue
    let promise = eventLoop.makePromise(of: [Result<RESPValue, RedisError>].self)
    let deadline = NIODeadline.now() + TimeAmount(timeout ?? configuration.callTimeout)
    eventLoop.execute { [dispatcher, request, count = commands.count] in
      dispatcher.value.submit(.init(id: id, request: request, replyCount: count, deadline: deadline, token: promise))
    }
    return try await withTaskCancellationHandler {
      try await promise.futureResult.get()
    } onCancel: {
      eventLoop.execute { [dispatcher] in dispatcher.value.cancel(id: id) }
    }
  }
}
