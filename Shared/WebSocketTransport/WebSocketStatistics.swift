/// What a server has done since it started, all loops together. Everything but `connectionsOpen` only grows.
package struct WebSocketStatistics: Sendable, Equatable {
  /// WebSockets that are open now.
  package var connectionsOpen = 0
  package var connectionsOpened = 0
  /// Requests that became no WebSocket, by the status of their answer.
  package var handshakesRefused: [Int: Int] = [:]
  /// TCP connections that were closed without an answer, because even the refusals were too many.
  package var connectionsDropped = 0
  package var messagesReceived = 0
  package var bytesReceived = 0
  package var bytesSent = 0
  /// WebSockets that ended, by their code.
  package var closed: [WebSocketCloseCode: Int] = [:]

  package init() {}

  package static func += (left: inout Self, right: Self) {
    left.connectionsOpen += right.connectionsOpen
    left.connectionsOpened += right.connectionsOpened
    left.handshakesRefused.merge(right.handshakesRefused, uniquingKeysWith: +)
    left.connectionsDropped += right.connectionsDropped
    left.messagesReceived += right.messagesReceived
    left.bytesReceived += right.bytesReceived
    left.bytesSent += right.bytesSent
    left.closed.merge(right.closed, uniquingKeysWith: +)
  }
}
