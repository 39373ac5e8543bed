internal import NIOCore
internal import WebSocketTransport

/// The Epicura document's endpoint, `/ws`.
enum EpicuraDialect {
  static let path = "/ws"
  /// The document's "Heartbeat": no activity for 60 seconds ends a connection. The server does not ping; the client does.
  static let idleTimeout = Duration.seconds(60)
  static let messageBytesMax = 16 * 1024

  /// - Parameter hubs: the hub of each of the server's loops, in their order.
  static func route(hubs: [NIOLoopBound<LoopHub>], neighbours: EpicuraSession.Neighbours, refusesForeignPages: Bool) -> WebSocketRoute {
    let limits = WebSocketLimits(messageBytesMax: messageBytesMax, outboundBytesMax: 1024 * 1024, idleTimeout: idleTimeout)
    return WebSocketRoute(path: path, limits: limits) { request, connection in
      if refusesForeignPages, !LocalPage.mayConnect(origin: request.header("origin")) {
        return RefusedSession(connection, .policyViolation, "Pages of other sites may not connect")
      }
      return EpicuraSession(
        connection, hub: hubs[connection.loopIndex].value, token: request.bearerToken ?? request.query("token"), neighbours: neighbours)
    }
  }
}

/// A connection that ends as it begins.
private final class RefusedSession: WebSocketSession {
  init(_ connection: WebSocketConnection, _ code: WebSocketCloseCode, _ reason: String) { connection.close(code, reason: reason) }

  func received(_ text: [UInt8]) {}
  func becameWritable() {}
  func closed(_ code: WebSocketCloseCode) {}
}
