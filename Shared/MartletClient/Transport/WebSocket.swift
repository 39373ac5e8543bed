internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
internal import ServerURL
internal import Synchronization

/// One WebSocket, from the attempt to its end.
final class WebSocket: Sendable {
  /// The server answered with something else than a WebSocket.
  struct Refused: Error {}

  private typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

  /// More than any message of the server's; a larger one ends the connection.
  private static let messageBytesMax = 4 << 20
  /// May wait to be sent; a peer that takes no more than this is gone.
  private static let waitingBytesMax = 1 << 20
  private static let connectTimeout = TimeAmount.seconds(10)

  private enum Phase {
    case connecting((any Channel)?)
    case open(any Channel)
    case over
  }

  private let endpoint: Endpoint
  private let phase = Mutex(Phase.connecting(nil))

  init(_ endpoint: Endpoint) { self.endpoint = endpoint }

  /// Connects, hands over each message in its turn, and returns how it ended. `nil` stands for a binary message.
  ///
  /// Throws when no WebSocket came about, or when it was lost.
  func run(token: String?, received: @Sendable ([UInt8]?) async -> Void) async throws -> Closing {
    try await withTaskCancellationHandler {
      let frames = try await connect(token: token)
      var closing = Closing.lost
      do {
        try await frames.executeThenClose { inbound, outbound in
          guard opened(frames.channel) else { return }
          for try await frame in inbound {
            switch frame.opcode {
            case .text: await received(Array(frame.unmaskedData.readableBytesView))
            case .binary: await received(nil)
            case .ping: try await outbound.write(Self.frame(.pong, frame.unmaskedData))
            case .connectionClose:
              closing = Closing(frame.unmaskedData)
              return try await outbound.write(Self.frame(.connectionClose, frame.unmaskedData))
            default: break
            }
          }
        }
      } catch  where closing != .lost {
        // The server said why, and then did not wait for our answer.
      }
      return closing
    } onCancel: {
      drop()
    }
  }

  /// Sends a text message, if there is a connection. Never waits: a peer that does not take what it is sent is left.
  func send(_ text: [UInt8]) {
    guard case .open(let channel) = phase.withLock({ $0 }) else { return }
    guard channel.isWritable else { return drop() }
    channel.writeAndFlush(Self.frame(.text, ByteBuffer(bytes: text)), promise: nil)
  }

  /// Leaves. A peer that is gone does not answer the closing handshake; it is not waited for.
  func drop() {
    let before = phase.withLock { phase in
      defer { phase = .over }
      return phase
    }
    switch before {
    case .connecting(let channel): channel?.close(promise: nil)
    case .open(let channel):
      channel.writeAndFlush(Self.frame(.connectionClose, ByteBuffer(integer: UInt16(1000))), promise: nil)
      channel.close(promise: nil)
    case .over: break
    }
  }

  // MARK: The handshake

  private func connect(token: String?) async throws -> Frames {
    let upgrader = NIOTypedWebSocketClientUpgrader<Frames?>(maxFrameSize: Self.messageBytesMax) { channel, _ in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(
          NIOWebSocketFrameAggregator(
            minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 1024, maxAccumulatedFrameSize: Self.messageBytesMax))
        return try Frames(wrappingChannelSynchronously: channel)
      }
    }
    let request = request(token: token)
    let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connectTimeout(Self.connectTimeout)
      .channelOption(.writeBufferWaterMark, value: .init(low: Self.waitingBytesMax / 2, high: Self.waitingBytesMax))
    let upgrade = try await bootstrap.connect(host: endpoint.url.host, port: endpoint.url.port) { [self] channel in
      channel.eventLoop.makeCompletedFuture {
        guard connecting(channel) else { throw CancellationError() }
        if let context = endpoint.context { try channel.pipeline.syncOperations.addHandler(tls(context)) }
        var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(
          upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: request, upgraders: [upgrader]) { channel in
            channel.close(promise: nil)
            return channel.eventLoop.makeSucceededFuture(nil)
          })
        // The server's first message may come with its answer to the handshake.
        pipeline.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
      }
    }
    guard let frames = try await upgrade.get() else { throw Refused() }
    return frames
  }

  /// The token goes into the URL, as the Epicura document has it.
  private func request(token: String?) -> HTTPRequestHead {
    let host = endpoint.url.host.contains(":") ? "[\(endpoint.url.host)]" : endpoint.url.host
    let query = token.map { "\(endpoint.url.path.contains("?") ? "&" : "?")token=\(Endpoint.escaped($0))" } ?? ""
    return HTTPRequestHead(
      version: .http1_1, method: .GET, uri: "/\(endpoint.url.path)\(query)", headers: ["Host": "\(host):\(endpoint.url.port)"])
  }

  /// A certificate that names an address instead of a host is checked by the address of the peer.
  private func tls(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
    let isAddress = (try? SocketAddress(ipAddress: endpoint.url.host, port: endpoint.url.port)) != nil
    return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : endpoint.url.host)
  }

  /// False when it is not wanted any more.
  private func connecting(_ channel: any Channel) -> Bool {
    phase.withLock { phase in
      guard case .connecting = phase else { return false }
      phase = .connecting(channel)
      return true
    }
  }

  private func opened(_ channel: any Channel) -> Bool {
    phase.withLock { phase in
      guard case .connecting = phase else { return false }
      phase = .open(channel)
      return true
    }
  }

  private static func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
    WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
  }
}

extension Closing {
  /// The payload of a close frame; without one the code is 1005, as RFC 6455 has it.
  fileprivate init(_ payload: ByteBuffer) {
    var payload = payload
    code = payload.readInteger(as: UInt16.self).map(Int.init) ?? 1005
    reason = String(buffer: payload)
  }
}
