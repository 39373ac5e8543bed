import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// One connection to one server, with many calls under way on it at a time, answered in order (pipelining). `RedisClient` says what is promised of calls.
final class RedisNode: Service, Sendable {
  private let configuration: RedisConfiguration
  private let connector: RedisConnector
  private let logger: Logger
  private let dispatcher: NIOLoopBoundBox<CallDispatcher>
  private let lastCallID = Atomic<UInt64>(0)

  /// - Parameter waitsForConnection: whether a call waits until its deadline for a connection; if not, it fails with `unreachable` as soon as an attempt has failed.
  init(configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger, waitsForConnection: Bool = true) {
    self.configuration = configuration
    self.logger = logger
    connector = RedisConnector(configuration: configuration, eventLoop: eventLoop)
    dispatcher = .makeBoxSendingValue(
      CallDispatcher(configuration: configuration, eventLoop: eventLoop, waitsForConnection: waitsForConnection), eventLoop: eventLoop)
  }

  private var eventLoop: any EventLoop { connector.eventLoop }

  /// Keeps the connection until graceful shutdown or cancellation; calls that still wait then fail with `closed`.
  func run() async throws {
    let (connector, dispatcher, logger, limits) = (connector, dispatcher, logger, configuration.limits)
    await cancelWhenGracefulShutdown {
      await connector.keepConnected(logger: logger) { failure in
        connector.eventLoop.execute { dispatcher.value.failedToConnect(failure) }
      } install: { channel in
        try channel.pipeline.syncOperations.addHandler(CommandHandler(dispatcher: dispatcher.value, limits: limits))
      }
    }
    try await eventLoop.submit { dispatcher.value.shutDown() }.get()
  }

  /// Sends commands in one write. One outcome for each, in their order; throws when the replies did not all come: with `unreachable` when nothing was sent.
  func pipeline(_ commands: [RedisCommand], timeout: Duration?) async throws -> [Result<RESPValue, RedisError>] {
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
