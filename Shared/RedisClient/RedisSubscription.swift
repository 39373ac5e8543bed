package import Logging
package import NIOCore
import ServiceLifecycle

/// What a `RedisSubscription` tells, synchronously and on its event loop only. Pointers are valid during the call.
package protocol RedisSubscriptionReceiver: AnyObject {
  /// The server has confirmed the channel: first after `subscribe`, and again after every reconnect.
  func subscribed(channel: String)
  func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer)
  /// The messages of one read from the socket have all been told: the moment to flush.
  func readCompleted()
  /// The connection is lost. Of every channel, what comes before its next `subscribed` may be missed.
  func disconnected()
}

/// Channels of one Redis server, on a connection of its own that is confined to one event loop.
///
/// `run()` keeps the connection and never gives up; after a reconnect every wanted channel is subscribed again, many in one command. An idle
/// connection is asked for a sign of life every `pingInterval`, with a deadline. What a receiver is told is at most once: whoever may miss nothing
/// reads it again elsewhere on `subscribed`.
package final class RedisSubscription: Service, Sendable {
  private let connector: RedisConnector
  private let logger: Logger
  private let dispatcher: NIOLoopBound<SubscriptionDispatcher>

  /// To be called on `eventLoop`, where the receiver lives.
  package init(configuration: RedisConfiguration, eventLoop: any EventLoop, receiver: any RedisSubscriptionReceiver, logger: Logger) {
    connector = RedisConnector(configuration: configuration, eventLoop: eventLoop)
    self.logger = logger
    dispatcher = NIOLoopBound(
      SubscriptionDispatcher(configuration: configuration, eventLoop: eventLoop, receiver: receiver, logger: logger), eventLoop: eventLoop)
  }

  package var eventLoop: any EventLoop { connector.eventLoop }

  /// Keeps the connection until graceful shutdown or cancellation.
  package func run() async throws {
    let (connector, dispatcher, logger) = (connector, dispatcher, logger)
    let limits = connector.configuration.limits
    await cancelWhenGracefulShutdown {
      await connector.keepConnected(logger: logger, failed: { _ in }) { channel in
        try channel.pipeline.syncOperations.addHandler(SubscriptionHandler(dispatcher: dispatcher.value, limits: limits))
      }
    }
  }

  /// From any thread. Calls of one tick of the event loop leave in one write.
  package func subscribe(_ channel: String) { onLoop { $0.subscribe(channel) } }
  package func unsubscribe(_ channel: String) { onLoop { $0.unsubscribe(channel) } }

  private func onLoop(_ body: @escaping @Sendable (SubscriptionDispatcher) -> Void) {
    if eventLoop.inEventLoop { return body(dispatcher.value) }
    eventLoop.execute { [dispatcher] in body(dispatcher.value) }
  }
}
