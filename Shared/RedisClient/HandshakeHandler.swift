import NIOCore
import NIOSSL

/// Speaks the handshake on a new connection and then gives its place to the handler that works there.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let configuration: RedisConfiguration
  private let install: (any Channel) throws -> Void
  private let ready: EventLoopPromise<Void>
  private var handshake: Handshake
  private var parser: ReplyParser?
  private var outcome: Result<Void, RedisError>?
  private var timer: Scheduled<Void>?

  init(_ configuration: RedisConfiguration, ready: EventLoopPromise<Void>, install: @escaping (any Channel) throws -> Void) {
    self.configuration = configuration
    self.ready = ready
    self.install = install
    handshake = Handshake(configuration)
  }

  func channelActive(context: ChannelHandlerContext) {
    parser = ReplyParser(
      sink: ReplyAssembler(limits: configuration.limits) { [unowned self] reply in received(reply) },
      unparsedBytesMax: configuration.limits.replyBytes)
    var request = context.channel.allocator.buffer(capacity: 128)
    for command in handshake.commands { command.encode(into: &request) }
    context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(configuration.connectTimeout)) {
      self.finish(.failure(self.unreachable("did not answer the log-in in time")), context)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard outcome == nil, let parser else { return }
    do throws(RedisError) {
      try unwrapInboundIn(data).withUnsafeReadableBytes { bytes throws(RedisError) in try parser.feed(bytes) }
    } catch {
      outcome = outcome ?? .failure(error)
    }
    if let outcome { finish(outcome, context) }
  }

  private func received(_ reply: RESPValue) {
    guard outcome == nil else { return }
    do throws(RedisError) {
      if try handshake.received(reply) { outcome = .success(()) }
    } catch {
      outcome = .failure(error)
    }
  }

  private func finish(_ outcome: Result<Void, RedisError>, _ context: ChannelHandlerContext) {
    self.outcome = outcome
    guard timer != nil else { return }
    timer?.cancel()
    timer = nil
    switch outcome {
    case .failure(let error):
      ready.fail(error)
      context.close(promise: nil)
    case .success:
      let channel = context.channel
      context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
      do {
        try install(channel)
        ready.succeed()
      } catch {
        ready.fail(error)
        channel.close(promise: nil)
      }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    finish(.failure(unreachable("closed the connection at once")), context)
    context.fireChannelInactive()
  }

  private func unreachable(_ what: String) -> RedisError {
    let hint =
      configuration.tls == nil ? "if it expects TLS on this port, write rediss://" : "if it has no TLS on this port, write redis://"
    return RedisError(.unreachable, "Redis at \(configuration.address) \(what); \(hint)")
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let isTLS = error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError
    let what = isTLS ? "TLS with Redis at \(configuration.address) failed" : "the connection to Redis at \(configuration.address) failed"
    finish(.failure(RedisError(isTLS ? .tls : .unreachable, "\(what): \(RedisError.printable("\(error)"))")), context)
  }
}
