import NIOCore
import NIOPosix
import Synchronization

/// A way to a server on this machine that can go silent: then nothing passes any more by what is connected by then, and nobody is told, as when
/// a network is gone. It keeps what it swallowed. What is connected afterwards passes.
struct Relay: Sendable {
  private let server: any Channel
  private let joined: Joined

  private final class Joined: Sendable {
    let channels = Mutex<[any Channel]>([])
    let silent = Mutex<Set<ObjectIdentifier>>([])
    let swallowed = Mutex("")

    func isSilent(_ channel: any Channel) -> Bool { silent.withLock { $0.contains(ObjectIdentifier(channel)) } }
  }

  /// Passes everything on to the other side, its end too.
  private final class Half: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let other: any Channel
    private let joined: Joined

    init(to other: any Channel, _ joined: Joined) { (self.other, self.joined) = (other, joined) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      guard joined.isSilent(context.channel) else { return other.writeAndFlush(bytes, promise: nil) }
      joined.swallowed.withLock { $0 += String(buffer: bytes) }
    }

    func channelInactive(context: ChannelHandlerContext) {
      if !joined.isSilent(context.channel) { other.close(promise: nil) }
    }
  }

  /// `127.0.0.1:port`
  var address: String { "127.0.0.1:\(server.localAddress?.port ?? 0)" }

  /// Runs `body` with a relay of its own.
  static func run(to host: String, _ port: Int, _ body: (Relay) async throws -> Void) async throws {
    let joined = Joined()
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { near in
        ClientBootstrap(group: near.eventLoop)
          .channelInitializer { far in far.pipeline.addHandler(Half(to: near, joined)) }
          .connect(host: host, port: port).flatMap { far in
            joined.channels.withLock { $0 += [near, far] }
            return near.pipeline.addHandler(Half(to: far, joined))
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

  func fallSilent() {
    let channels = joined.channels.withLock { $0 }
    joined.silent.withLock { $0.formUnion(channels.map { ObjectIdentifier($0) }) }
  }

  /// What did not pass since, of both directions.
  var swallowed: String { joined.swallowed.withLock { $0 } }

  private func close() async throws {
    try await server.close()
    for channel in joined.channels.withLock({ $0 }) { channel.close(promise: nil) }
  }
}
