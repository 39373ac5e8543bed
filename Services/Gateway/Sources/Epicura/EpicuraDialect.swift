internal import NIOCore
internal import WebSocketTransport

/// The Epicura document's endpoint, `/ws`.
enum EpicuraDialect {
  static let path = "/ws"
  /// The document's "Heartbeat": no activity for 60 seconds ends a connection. The server does not ping; the client does.
  static let idleTimeout = Duration.seconds(60)
  static let messageBytesMax = 16 * 1024

  /// - Parameter hubs: the hub of each of the server's loops, in their order.
  static func route(hubs: [NIOLoopBound<LoopHub>], neighbours: EpicuraSession.Neighbours) -> WebSocketRoute {
    let limits = WebSocketLimits(messageBytesMax: messageBytesMax, outboundBytesMax: 1024 * 1024, idleTimeout: idleTimeout)
    return WebSocketRoute(path: path, limits: limits) { request, connection in
      EpicuraSession(
        connection, hub: hubs[connection.loopIndex].value, token: request.bearerToken ?? request.query("token"), neighbours: neighbours)
    }
  }
}
