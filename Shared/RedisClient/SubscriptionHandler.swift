import NIOCore

/// The end of a subscription's pipeline: bytes in, messages to the receiver.
final class SubscriptionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let dispatcher: SubscriptionDispatcher
  private let parser: ReplyParser
  private var isBroken = false

  init(dispatcher: SubscriptionDispatcher, limits: RedisConfiguration.Limits) {
    self.dispatcher = dispatcher
    let decoder = PushDecoder { [dispatcher] channel, payload in
      dispatcher.message(channel, payload)
    } signal: { [dispatcher] signal in
      dispatcher.signal(signal)
    }
    parser = ReplyParser(sink: decoder, unparsedBytesMax: limits.replyBytes)
  }

  func handlerAdded(context: ChannelHandlerContext) { dispatcher.connected(context.channel) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isBroken else { return }
    dispatcher.heard()
    do throws(RedisError) {
      try unwrapInboundIn(data).withUnsafeReadableBytes { bytes throws(RedisError) in try parser.feed(bytes) }
    } catch {
      isBroken = true
      context.close(promise: nil)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) { dispatcher.readCompleted() }

  func channelInactive(context: ChannelHandlerContext) {
    dispatcher.disconnected(context.channel)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
