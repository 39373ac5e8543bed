internal import WebSocketTransport

/// The Epicura document's endpoint, `/ws`.
enum EpicuraDialect {
  /// The document's "Heartbeat": no activity for 60 seconds ends a connection. The server does not ping; the client does.
  static let endpoint = Endpoint(
    path: "/ws", limits: WebSocketLimits(messageBytesMax: 16 * 1024, outboundBytesMax: 1024 * 1024, idleTimeout: .seconds(60))
  ) { EpicuraSession($0) }
}
