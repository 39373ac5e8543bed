/// One endpoint of a server.
package struct WebSocketRoute: Sendable {
  /// The whole path, as in `/ws`.
  package let path: String
  package let limits: WebSocketLimits
  /// Makes the session of a connection that was just opened. Called on the connection's loop, which it must not block; the session may
  /// send and close at once.
  package let makeSession: @Sendable (WebSocketRequest, WebSocketConnection) -> any WebSocketSession

  package init(
    path: String, limits: WebSocketLimits = WebSocketLimits(),
    makeSession: @escaping @Sendable (WebSocketRequest, WebSocketConnection) -> any WebSocketSession
  ) {
    self.path = path
    self.limits = limits
    self.makeSession = makeSession
  }
}

/// What a connection of one route may cost.
package struct WebSocketLimits: Sendable {
  /// The longest message from a client, all fragments together; past it: 1009.
  package var messageBytesMax: Int
  /// What may wait for a client that does not read; past it: 1013.
  package var outboundBytesMax: Int
  /// How long a client may send nothing, pings and pongs included; past it: 1001. Nil: for ever.
  package var idleTimeout: Duration?
  /// How often the server pings. Nil: never.
  package var pingInterval: Duration?

  package init(
    messageBytesMax: Int = 16 * 1024, outboundBytesMax: Int = 256 * 1024, idleTimeout: Duration? = .seconds(60),
    pingInterval: Duration? = nil
  ) {
    self.messageBytesMax = messageBytesMax
    self.outboundBytesMax = outboundBytesMax
    self.idleTimeout = idleTimeout
    self.pingInterval = pingInterval
  }
}

/// What is done with one connection's messages.
///
/// Everything here is called on the connection's event loop, one call at a time, and never from inside a call that the session itself
/// makes to its connection. Nothing may block.
package protocol WebSocketSession: AnyObject {
  /// A whole text message, known to be valid UTF-8.
  func received(_ text: [UInt8])
  /// All that waited for the client has been taken by its socket: `isWritable` is true again.
  func becameWritable()
  /// A pong came, with what its ping carried; clients may also send some that nobody asked for.
  func ponged(_ payload: [UInt8])
  /// The last call: nothing is received or sent any more. The code is the one sent or received, `abnormal` if the connection was lost.
  func closed(_ code: WebSocketCloseCode)
}

extension WebSocketSession {
  /// Only who pings wants to know.
  package func ponged(_ payload: [UInt8]) {}
}
