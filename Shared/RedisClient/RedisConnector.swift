import Backoff
import Glibc
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// Opens connections, and keeps one open for ever.
struct RedisConnector: Sendable {
  let configuration: RedisConfiguration
  let eventLoop: any EventLoop

  /// Connects, speaks TLS, logs in, and then calls `install` on the event loop to add the working handler. Cancellation ends it at once.
  func connect(install: @escaping @Sendable (any Channel) throws -> Void) async throws(RedisError) -> any Channel {
    let opening = NIOLoopBoundBox.makeEmptyBox(valueType: (any Channel).self, eventLoop: eventLoop)
    let ready = eventLoop.makePromise(of: Void.self)
    let connected = ClientBootstrap(group: eventLoop)
      .connectTimeout(TimeAmount(configuration.connectTimeout))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 128 << 10))
      .channelOption(.maxMessagesPerRead, value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          opening.value = channel
          if let tls = configuration.tls { try channel.pipeline.syncOperations.addHandler(tlsHandler(tls)) }
          try channel.pipeline.syncOperations.addHandler(HandshakeHandler(configuration, ready: ready, install: install))
        }
      }
      .connect(host: configuration.address.host, port: configuration.address.port)
    connected.whenFailure { error in
      ready.fail(RedisError(.unreachable, "cannot reach Redis at \(configuration.address): \(Self.reason(error)); is it running?"))
    }
    do {
      return try await withTaskCancellationHandler {
        try await ready.futureResult.flatMap { connected }.get()
      } onCancel: {
        eventLoop.execute { opening.value?.close(promise: nil) }
      }
    } catch let error as RedisError {
      throw error
    } catch {
      throw RedisError(.unreachable, "cannot reach Redis at \(configuration.address): \(Self.reason(error))")
    }
  }

  /// A certificate is checked against the name in the URL, or against the address where that is none (SNI takes no addresses).
  private func tlsHandler(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
    let address = configuration.address
    let isNumeric = (try? SocketAddress(ipAddress: address.host, port: address.port)) != nil
    return try NIOSSLClientHandler(context: context, serverHostname: isNumeric ? nil : address.host)
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      error.connectionErrors.first.map { reason($0.error) } ?? "its name is not known"
    case let error as IOError: String(cString: strerror(error.errnoCode))
    case ChannelError.connectTimeout: "no answer in time"
    default: RedisError.printable("\(error)")
    }
  }

  /// Connects again and again until the task is cancelled. Tells the log of every change, not of every attempt.
  func keepConnected(
    logger: Logger, failed: @escaping @Sendable (RedisError) -> Void, install: @escaping @Sendable (any Channel) throws -> Void
  ) async {
    var backoff = Backoff(shortest: .milliseconds(50), longest: .seconds(2))
    var lastComplaint: String?
    while !Task.isCancelled {
      do throws(RedisError) {
        let channel = try await connect(install: install)
        logger.info("connected to Redis", metadata: ["address": "\(configuration.address)"])
        lastComplaint = nil
        let openedAt = ContinuousClock.now
        await closing(of: channel)
        if Task.isCancelled { return }
        // A connection that was lost as soon as it was made is no sign that things are well.
        if openedAt.duration(to: .now) > .seconds(2) { backoff.reset() }
        logger.warning("lost the connection to Redis", metadata: ["address": "\(configuration.address)"])
      } catch {
        if Task.isCancelled { return }
        failed(error)
        logger.log(level: error.message == lastComplaint ? .debug : .warning, "\(error.message)")
        lastComplaint = error.message
      }
      try? await Task.sleep(for: backoff.next())
    }
  }

  /// Returns when the channel has closed; closes it on cancellation.
  private func closing(of channel: any Channel) async {
    await withTaskCancellationHandler {
      try? await channel.closeFuture.get()
    } onCancel: {
      channel.close(promise: nil)
    }
  }
}
