import NIOCore

/// The end of a client's pipeline: bytes in, replies to the dispatcher.
final class CommandHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let dispatcher: CallDispatcher
  private let limits: RedisConfiguration.Limits
  private var parser: ReplyParser?
  private var failure: RedisError?
  private var now = NIODeadline.now()

  init(dispatcher: CallDispatcher, limits: RedisConfiguration.Limits) {
    self.dispatcher = dispatcher
    self.limits = limits
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let assembler = ReplyAssembler(limits: limits) { [unowned self] reply in received(reply) }
    parser = ReplyParser(sink: assembler, unparsedBytesMax: limits.replyBytes)
    dispatcher.connected(context.channel)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard failure == nil, let parser else { return }
    now = .now()
    do throws(RedisError) {
      try unwrapInboundIn(data).withUnsafeReadableBytes { bytes throws(RedisError) in try parser.feed(bytes) }
    } catch {
      failure = failure ?? error
    }
    if failure != nil { context.close(promise: nil) }
  }

  private func received(_ reply: RESPValue) {
    guard failure == nil else { return }
    do throws(RedisError) { try dispatcher.received(reply, now: now) } catch { failure = error }
  }

  func channelInactive(context: ChannelHandlerContext) {
    dispatcher.disconnected(context.channel, reason: failure)
    parser = nil
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
