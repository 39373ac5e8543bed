import Models
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import ServerURL

/// The WebSocket of a simulated device.
struct DeviceSocket: Sendable {
  typealias Channel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

  /// More than any frame of a server of ours.
  private static let messageBytesMax = 1 << 20
  private static let handshakeTimeout = TimeAmount.seconds(10)

  /// `ws://host[:port]/path`
  let url: ServerURL
  /// Such as `?ack=1`; empty for none.
  let query: String
  /// Proves that it is the device; nil for one that needs no proof.
  let secret: String?

  /// Nil for a server that answers with something else than a WebSocket.
  func connect() async throws -> Channel? {
    let upgrader = NIOTypedWebSocketClientUpgrader<Channel?>(maxFrameSize: Self.messageBytesMax) { channel, _ in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(
          NIOWebSocketFrameAggregator(
            minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 64, maxAccumulatedFrameSize: Self.messageBytesMax))
        return try Channel(wrappingChannelSynchronously: channel)
      }
    }
    let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connectTimeout(Self.handshakeTimeout)
    let upgrade = try await bootstrap.connect(host: url.host, port: url.port) { channel in
      channel.eventLoop.makeCompletedFuture {
        let deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: Self.handshakeTimeout) { channel.close(promise: nil) }
        var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(
          upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: request, upgraders: [upgrader]) { channel in
            channel.close(promise: nil)
            return channel.eventLoop.makeSucceededFuture(nil)
          })
        // The server's first message may come with its answer to the handshake.
        pipeline.leftOverBytesStrategy = .forwardBytes
        let upgraded = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
        upgraded.whenComplete { _ in deadline.cancel() }
        return upgraded
      }
    }
    return try await upgrade.get()
  }

  /// What a person is told of such a server.
  var refusal: String { "\(url.host):\(url.port) refused the WebSocket at /\(url.path)" }

  private var request: HTTPRequestHead {
    let host = url.host.contains(":") ? "[\(url.host)]" : url.host
    var headers = HTTPHeaders([("Host", "\(host):\(url.port)")])
    if let secret { headers.add(name: "Authorization", value: "Bearer \(secret)") }
    return HTTPRequestHead(version: .http1_1, method: .GET, uri: "/\(url.path)\(query)", headers: headers)
  }

  // MARK: Frames

  static func text(_ bytes: [UInt8]) -> WebSocketFrame {
    WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: ByteBuffer(bytes: bytes))
  }

  static func pong(_ payload: ByteBuffer) -> WebSocketFrame {
    WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: payload)
  }

  static var goodbye: WebSocketFrame {
    WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: ByteBuffer(integer: UInt16(1000)))
  }
}
