import Models
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import ServerURL
import ServiceLifecycle

/// One WebSocket of a simulated camera to the broker, from its hello to its end.
struct CameraConnection: Sendable {
  private typealias Socket = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

  enum Ending: Hashable, Sendable {
    /// This program is to stop.
    case stopped
    /// The broker does not want this camera (1008).
    case refused(String)
    /// - Parameter wasWelcome: the broker had let it in.
    case lost(String, wasWelcome: Bool)
  }

  /// More than any frame of the broker's.
  private static let messageBytesMax = 1 << 17
  /// Half of what the broker waits for.
  private static let heartbeatPeriod = Duration.seconds(30)
  private static let handshakeTimeout = TimeAmount.seconds(10)

  /// `ws://host[:port]/ws/device`
  let url: ServerURL
  /// Proves that it is the device; nil for one that needs no proof.
  let secret: String?
  let play: CameraPlay
  let say: @Sendable (String) -> Void

  func run() async -> Ending {
    let welcome = ConnectionFlag()
    do {
      guard let socket = try await connect() else {
        return .lost("\(url.host):\(url.port) refused the WebSocket at /\(url.path)", wasWelcome: false)
      }
      return try await socket.executeThenClose { inbound, outbound in
        try await outbound.write(Self.text(play.hello(now: .now())))
        return try await attend(inbound, outbound, welcome)
      }
    } catch {
      return .lost(String(describing: error), wasWelcome: welcome.lower())
    }
  }

  private func attend(
    _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
    _ welcome: ConnectionFlag
  ) async throws -> Ending {
    let heard = ConnectionFlag()
    return try await withThrowingTaskGroup(of: Ending.self) { group in
      group.addTask {
        try await gracefulShutdown()
        return .stopped
      }
      group.addTask { try await beat(outbound, heard) }
      group.addTask { try await answer(inbound, outbound, heard, welcome) }
      defer { group.cancelAll() }
      let ending = try await group.next() ?? .stopped
      if ending == .stopped {
        // A camera that says goodbye ends its sessions at once. The answer to it is the end; how long it may take is the service group's.
        try await outbound.write(Self.goodbye)
        _ = try await group.next()
      }
      return ending
    }
  }

  private func beat(_ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>, _ heard: ConnectionFlag) async throws -> Ending {
    while true {
      try await Task.sleep(for: Self.heartbeatPeriod)
      guard heard.lower() else { return .lost("the broker is silent", wasWelcome: true) }
      try await outbound.write(Self.text(play.heartbeat(now: .now())))
    }
  }

  private func answer(
    _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
    _ heard: ConnectionFlag, _ welcome: ConnectionFlag
  ) async throws -> Ending {
    for try await frame in inbound {
      heard.raise()
      var data = frame.unmaskedData
      switch frame.opcode {
      case .text:
        let step = play.hear(Array(data.readableBytesView), now: .now())
        if step.isWelcome { welcome.raise() }
        for frame in step.frames { try await outbound.write(Self.text(frame)) }
        step.line.map(say)
      case .ping: try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: data))
      case .connectionClose:
        let code = data.readInteger(as: UInt16.self) ?? 1005
        let reason = "\(code) \(String(decoding: data.readableBytesView, as: UTF8.self))"
        return code == 1008 ? .refused(reason) : .lost("closed with \(reason)", wasWelcome: welcome.lower())
      default: break
      }
    }
    return .lost("the connection broke", wasWelcome: welcome.lower())
  }

  private static func text(_ bytes: [UInt8]) -> WebSocketFrame {
    WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: ByteBuffer(bytes: bytes))
  }

  private static var goodbye: WebSocketFrame {
    WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: ByteBuffer(integer: UInt16(1000)))
  }

  // MARK: Connecting

  /// Nil for a server that answers with something else than a WebSocket.
  private func connect() async throws -> Socket? {
    let upgrader = NIOTypedWebSocketClientUpgrader<Socket?>(maxFrameSize: Self.messageBytesMax) { channel, _ in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(
          NIOWebSocketFrameAggregator(
            minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 64, maxAccumulatedFrameSize: Self.messageBytesMax))
        return try Socket(wrappingChannelSynchronously: channel)
      }
    }
    let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connectTimeout(Self.handshakeTimeout)
    let upgrade = try await bootstrap.connect(host: url.host, port: url.port) { channel in
      channel.eventLoop.makeCompletedFuture {
        let deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: Self.handshakeTimeout) { channel.close(promise: nil) }
        let upgraded = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
          configuration: .init(
            upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: request, upgraders: [upgrader]) { channel in
              channel.close(promise: nil)
              return channel.eventLoop.makeSucceededFuture(nil)
            }))
        upgraded.whenComplete { _ in deadline.cancel() }
        return upgraded
      }
    }
    return try await upgrade.get()
  }

  private var request: HTTPRequestHead {
    let host = url.host.contains(":") ? "[\(url.host)]" : url.host
    var headers = HTTPHeaders([("Host", "\(host):\(url.port)")])
    if let secret { headers.add(name: "Authorization", value: "Bearer \(secret)") }
    return HTTPRequestHead(version: .http1_1, method: .GET, uri: "/\(url.path)", headers: headers)
  }
}
