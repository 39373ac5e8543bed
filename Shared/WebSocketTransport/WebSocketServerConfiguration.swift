package import TrustedProxies

/// How a server listens and what it can be made to hold.
package struct WebSocketServerConfiguration: Sendable {
  /// The address to listen on.
  package var host: String
  /// 0 takes any free port.
  package var port: Int
  /// Connections of all loops together; past it: 503 with Retry-After.
  package var connectionsMax: Int
  /// Requests that are being read at the same time; past it: 503 with Retry-After.
  package var handshakesMax: Int
  /// The longest request head; past it: 431.
  package var headBytesMax: Int
  /// How long a request may take to arrive; past it: 408.
  package var handshakeTimeout: Duration
  /// How long a peer has to answer a Close; past it TCP is closed.
  package var closeTimeout: Duration
  /// Over what time a shutdown spreads its 1001s. `closeTimeout` comes on top of it.
  package var drainPeriod: Duration
  /// How often time-outs are looked at, and so by how much they may be late.
  package var sweepInterval: Duration
  /// What a 503 tells the client to wait.
  package var retryAfterSeconds: Int
  package var trustedProxies: TrustedProxies

  package init(
    host: String = "0.0.0.0", port: Int = 8080, connectionsMax: Int = 100_000, handshakesMax: Int = 1024, headBytesMax: Int = 8192,
    handshakeTimeout: Duration = .seconds(10), closeTimeout: Duration = .seconds(5), drainPeriod: Duration = .seconds(10),
    sweepInterval: Duration = .seconds(1), retryAfterSeconds: Int = 5, trustedProxies: TrustedProxies = .none
  ) {
    self.host = host
    self.port = port
    self.connectionsMax = connectionsMax
    self.handshakesMax = handshakesMax
    self.headBytesMax = headBytesMax
    self.handshakeTimeout = handshakeTimeout
    self.closeTimeout = closeTimeout
    self.drainPeriod = drainPeriod
    self.sweepInterval = sweepInterval
    self.retryAfterSeconds = retryAfterSeconds
    self.trustedProxies = trustedProxies
  }
}
