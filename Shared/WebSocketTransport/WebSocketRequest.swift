/// The request that opened a WebSocket.
package struct WebSocketRequest: Sendable {
  package let path: String
  /// Who connected: the peer's address, or, behind a trusted proxy, the one that the proxy names. For logs and limits.
  package let remoteAddress: String
  private let head: RequestHead

  init(head: RequestHead, remoteAddress: String) {
    path = head.path
    self.head = head
    self.remoteAddress = remoteAddress
  }

  /// The first value of a query item, with its escapes resolved. It may be a secret: `?token=`.
  package func query(_ name: String) -> String? { head.query.first { $0.name == name }?.value }

  /// Every value of a query item, in their order.
  package func queryValues(_ name: String) -> [String] { head.query.filter { $0.name == name }.map(\.value) }

  /// The first value of a header, whose name is given in lower case. It may be a secret: `authorization`.
  package func header(_ name: String) -> String? { head.headers.first { $0.name == name }?.value }

  /// The token of `Authorization: Bearer` (RFC 6750, section 2.1).
  package var bearerToken: String? {
    guard let value = header("authorization"), value.lowercased().hasPrefix("bearer ") else { return nil }
    return String(value.dropFirst(7).trimmed)
  }
}
