internal import AuditTrail
internal import NIOCore
internal import WebSocketTransport

/// A client that has just connected: what its dialect's session is made of.
struct Arrival {
  let connection: WebSocketConnection
  /// The fan-out of the connection's loop.
  let hub: LoopHub
  let request: WebSocketRequest
  let neighbours: Neighbours
  let audit: ConnectionAudit

  /// Of `Authorization: Bearer`, or `?token=`, in this order (SPEC, section 2).
  var token: String? { request.bearerToken ?? request.query("token") }
}

/// One path and the dialect that is spoken there.
struct Endpoint: Sendable {
  let path: String
  let limits: WebSocketLimits
  /// Called on the connection's loop.
  let makeSession: @Sendable (Arrival) -> any WebSocketSession

  /// - Parameter hubs: the hub of each of the server's loops, in their order.
  func route(_ hubs: [NIOLoopBound<LoopHub>], _ neighbours: Neighbours, refusesForeignPages: Bool) -> WebSocketRoute {
    WebSocketRoute(path: path, limits: limits) { request, connection in
      let voice = AuditVoice(neighbours.audit, endpoint: path, address: request.remoteAddress)
      if refusesForeignPages, !LocalPage.mayConnect(origin: request.header("origin")) {
        return RefusedSession(connection, .broken("Pages of other sites may not connect"))
      }
      let hub = hubs[connection.loopIndex].value
      return makeSession(Arrival(connection: connection, hub: hub, request: request, neighbours: neighbours, audit: ConnectionAudit(voice)))
    }
  }
}

/// A connection that ends as it begins.
private final class RefusedSession: WebSocketSession {
  init(_ connection: WebSocketConnection, _ end: Visit.End) { connection.close(end.code, reason: end.reason) }

  func received(_ text: [UInt8]) {}
  func becameWritable() {}
  func closed(_ code: WebSocketCloseCode) {}
}
