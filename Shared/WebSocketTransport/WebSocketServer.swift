internal import Glibc
package import Logging
package import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization

/// A WebSocket server (RFC 6455): one listener and one set of connections for each event loop, so that loops share nothing.
///
/// Graceful shutdown stops accepting, sends 1001 to each client spread over `drainPeriod`, gives them `closeTimeout` to answer, and ends.
/// Cancellation ends at once.
package final class WebSocketServer: Service, Sendable {
  private let configuration: WebSocketServerConfiguration
  private let routes: [WebSocketRoute]
  private let eventLoops: [any EventLoop]
  private let logger: Logger
  private let listening: @Sendable (Int) -> Void
  private let loops = Mutex<[NIOLoopBound<WebSocketLoop>]>([])

  /// - Parameters:
  ///   - eventLoopGroup: a group of NIOPosix; each of its loops serves.
  ///   - listening: called once with the port, when connections are accepted.
  package init(
    configuration: WebSocketServerConfiguration, routes: [WebSocketRoute], eventLoopGroup: any EventLoopGroup, logger: Logger,
    listening: @escaping @Sendable (_ port: Int) -> Void = { _ in }
  ) {
    self.configuration = configuration
    self.routes = routes
    eventLoops = Array(eventLoopGroup.makeIterator())
    self.logger = logger
    self.listening = listening
  }

  /// Serves until shutdown. Throws `WebSocketServerError` when the address cannot be had.
  package func run() async throws {
    let loops = try await makeLoops()
    self.loops.withLock { $0 = loops }
    defer { for loop in loops { loop.eventLoop.execute { loop.value.stop() } } }
    let listeners = try await listen(loops)
    let port = listeners.first?.localAddress?.port ?? configuration.port
    logger.info("Listening for WebSockets", metadata: ["host": "\(configuration.host)", "port": "\(port)", "loops": "\(loops.count)"])
    listening(port)
    do {
      try await gracefulShutdown()
      await stopListening(listeners)
      await drain(loops)
    } catch {
      await stopListening(listeners)
      await end(loops)
    }
  }

  /// The counters of all loops, summed. Each loop is asked in turn, so the sum is of no one moment.
  package func statistics() async -> WebSocketStatistics {
    var sum = WebSocketStatistics()
    for loop in loops.withLock({ $0 }) {
      if let part = try? await loop.eventLoop.submit({ loop.value.statistics }).get() { sum += part }
    }
    return sum
  }

  private func makeLoops() async throws -> [NIOLoopBound<WebSocketLoop>] {
    let admission = Admission(connectionsMax: configuration.connectionsMax, handshakesMax: configuration.handshakesMax)
    var loops: [NIOLoopBound<WebSocketLoop>] = []
    for (index, eventLoop) in eventLoops.enumerated() {
      let loop = eventLoop.submit { [configuration, routes] in
        NIOLoopBound(
          WebSocketLoop(index: index, eventLoop: eventLoop, configuration: configuration, routes: routes, admission: admission),
          eventLoop: eventLoop)
      }
      loops.append(try await loop.get())
    }
    return loops
  }

  // MARK: Listening

  private func listen(_ loops: [NIOLoopBound<WebSocketLoop>]) async throws -> [any Channel] {
    do {
      try await refuseTakenPort()
      var listeners: [any Channel] = []
      var port = configuration.port
      for loop in loops {
        let listener = try await bootstrap(loop).bind(host: configuration.host, port: port).get()
        port = listener.localAddress?.port ?? port
        listeners.append(listener)
      }
      return listeners
    } catch {
      throw WebSocketServerError(binding: configuration, failed: error)
    }
  }

  /// SO_REUSEPORT would let this process share a port that another process of the same user listens on in the same way, and each would
  /// get half of the clients. A listener without the option finds that out.
  private func refuseTakenPort() async throws {
    guard configuration.port != 0, let eventLoop = eventLoops.first else { return }
    let probe = ServerBootstrap(group: eventLoop).serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    try await probe.bind(host: configuration.host, port: configuration.port).get().close()
  }

  private func bootstrap(_ loop: NIOLoopBound<WebSocketLoop>) -> ServerBootstrap {
    ServerBootstrap(group: loop.eventLoop)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
      .serverChannelOption(.maxMessagesPerRead, value: 16)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.recvAllocator, value: ReceiveBufferPolicy())
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try Self.admit(channel, to: loop.value) }
      }
  }

  private static func admit(_ channel: any Channel, to loop: WebSocketLoop) throws {
    let decision = loop.admission.enter()
    guard decision != .dropped else {
      loop.statistics.connectionsDropped += 1
      channel.close(promise: nil)
      return
    }
    let full = HandshakeRefusal.unavailable("The server is full", retryAfterSeconds: loop.configuration.retryAfterSeconds)
    let connection = WebSocketConnection(loop: loop, refusal: decision == .refused ? full : nil)
    do {
      try channel.pipeline.syncOperations.addHandler(connection)
    } catch {
      loop.admission.leaveHandshake()
      loop.admission.leave()
      throw error
    }
  }

  // MARK: Ending

  private func stopListening(_ listeners: [any Channel]) async {
    for listener in listeners { try? await listener.close() }
  }

  private func drain(_ loops: [NIOLoopBound<WebSocketLoop>]) async {
    await withTaskCancellationHandler {
      await withTaskGroup { group in
        for loop in loops { group.addTask { await self.drain(loop) } }
      }
    } onCancel: {
      for loop in loops { loop.eventLoop.execute { loop.value.abort() } }
    }
  }

  private func drain(_ loop: NIOLoopBound<WebSocketLoop>) async {
    let period = configuration.drainPeriod
    let deadline = loop.eventLoop.scheduleTask(in: TimeAmount(period + configuration.closeTimeout)) { loop.value.abort() }
    try? await loop.eventLoop.flatSubmit { loop.value.drain(over: period) }.get()
    deadline.cancel()
  }

  private func end(_ loops: [NIOLoopBound<WebSocketLoop>]) async {
    for loop in loops {
      let emptied = loop.eventLoop.flatSubmit {
        defer { loop.value.abort() }
        return loop.value.drain(over: .zero)
      }
      try? await emptied.get()
    }
  }
}
