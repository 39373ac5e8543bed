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

/// Channels of one Redis server or of a cluster, told on one event loop.
///
/// `run()` keeps the connection and never gives up; after a reconnect every wanted channel is subscribed again, many in one command. An idle
/// connection is asked for a sign of life every `pingInterval`, with a deadline. What a receiver is told is at most once: whoever may miss nothing
/// reads it again elsewhere on `subscribed`.
///
/// On a cluster there is a connection to each master, and a channel is heard from the master that publishes it (deploy/decisions/0031). The loss of one of
/// them, or a slot's move to another, is told as `disconnected`: then every channel is confirmed anew, those of the others at once.
package final class RedisSubscription: Service, Sendable {
  private enum Backend {
    case server(SubscriptionLink)
    case cluster(ClusterSubscription)
  }

  package let eventLoop: any EventLoop
  private let backend: Backend

  /// To be called on `eventLoop`, where the receiver lives.
  ///
  /// - Parameter home: a key on the server that publishes a channel, for those that a function publishes; for all others their own name.
  package init(
    configuration: RedisConfiguration, eventLoop: any EventLoop, receiver: any RedisSubscriptionReceiver, logger: Logger,
    home: @escaping @Sendable (_ channel: String) -> String = { $0 }
  ) {
    self.eventLoop = eventLoop
    if let topology = configuration.topology {
      let feed = ClusterFeed(configuration: configuration, eventLoop: eventLoop, receiver: receiver, logger: logger, home: home)
      backend = .cluster(ClusterSubscription(feed, topology: topology, configuration: configuration, eventLoop: eventLoop))
    } else {
      backend = .server(SubscriptionLink(configuration, eventLoop: eventLoop, receiver: receiver, logger: logger))
    }
  }

  /// Keeps the connections until graceful shutdown or cancellation.
  package func run() async throws {
    switch backend {
    case .server(let link): await link.run()
    case .cluster(let cluster): try await cluster.run()
    }
  }

  /// From any thread. Calls of one tick of the event loop leave in one write.
  package func subscribe(_ channel: String) {
    switch backend {
    case .server(let link): onLoop(link.dispatcher) { $0.subscribe(channel) }
    case .cluster(let cluster): onLoop(cluster.feed) { $0.subscribe(channel) }
    }
  }

  package func unsubscribe(_ channel: String) {
    switch backend {
    case .server(let link): onLoop(link.dispatcher) { $0.unsubscribe(channel) }
    case .cluster(let cluster): onLoop(cluster.feed) { $0.unsubscribe(channel) }
    }
  }

  private func onLoop<Target>(_ target: NIOLoopBound<Target>, _ body: @escaping @Sendable (Target) -> Void) {
    if eventLoop.inEventLoop { return body(target.value) }
    eventLoop.execute { body(target.value) }
  }
}
