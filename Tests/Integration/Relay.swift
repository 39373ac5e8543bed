import NIOCore
import NIOPosix
import Synchronization

/// A way to a server on this machine that can go silent: then nothing passes any more by what is connected by then, and nobody is told, as when
/// a network is gone. What is connected afterwards passes.
struct Relay: Sendable {
  private let server: any Channel
  private let joined: Joined

  private final class Joined: Sendable {
    let channels = Mutex<[any Channel]>([])
  }

  /// Passes everything on to the other side, its end too.
  private final class Half: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let other: any Channel

    init(to other: any Channel) { self.other = other }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { other.writeAndFlush(unwrapInboundIn(data), promise: nil) }

    func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
  }

  /// `127.0.0.1:port`
  var address: String { "127.0.0.1:\(server.localAddress?.port ?? 0)" }

  /// Runs `body` with a relay of its own.
  static func run(to host: String, _ port: Int, _ body: (Relay) async throws -> Void) async throws {
    let joined = Joined()
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { near in
        ClientBootstrap(group: near.eventLoop)
          .channelInitializer { far in far.pipeline.addHandler(Half(to: near)) }
          .connect(host: host, port: port).flatMap { far in
            joined.channels.withLock { $0 += [near, far] }
            return near.pipeline.addHandler(Half(to: far))
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let relay = Relay(server: server, joined: joined)
    do {
      try await body(relay)
    } catch {
      try await relay.close()
      throw error
    }
    try await relay.close()
  }

  func fallSilent() async throws {
    for channel in joined.channels.withLock({ $0 }) where channel.isActive { try await channel.setOption(.autoRead, value: false).get() }
  }

  private func close() async throws {
    try await server.close()
    for channel in joined.channels.withLock({ $0 }) { channel.close(promise: nil) }
  }
}
