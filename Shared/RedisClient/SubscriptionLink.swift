import Logging
import NIOCore
import ServiceLifecycle

/// The connection of a subscription to one server, confined to one event loop.
struct SubscriptionLink: Service {
  let connector: RedisConnector
  let dispatcher: NIOLoopBound<SubscriptionDispatcher>
  private let logger: Logger

  /// To be called on `eventLoop`, where the receiver lives.
  init(_ configuration: RedisConfiguration, eventLoop: any EventLoop, receiver: any RedisSubscriptionReceiver, logger: Logger) {
    connector = RedisConnector(configuration: configuration, eventLoop: eventLoop)
    self.logger = logger
    dispatcher = NIOLoopBound(
      SubscriptionDispatcher(configuration: configuration, eventLoop: eventLoop, receiver: receiver, logger: logger), eventLoop: eventLoop)
  }

  /// Keeps the connection until graceful shutdown or cancellation.
  func run() async {
    let limits = connector.configuration.limits
    await cancelWhenGracefulShutdown {
      await connector.keepConnected(logger: logger, failed: { _ in }) { channel in
        try channel.pipeline.syncOperations.addHandler(SubscriptionHandler(dispatcher: dispatcher.value, limits: limits))
      }
    }
  }
}
