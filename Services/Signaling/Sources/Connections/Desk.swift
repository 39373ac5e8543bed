internal import Models
internal import WebSocketTransport

/// What is behind one connection: a device's or a viewer's side of the protocol. Its connection calls it off the event loop, one call at a time.
protocol Desk: Sendable {
  func received(_ request: SignalingRequest) async throws -> [DeskReply]
  /// Takes what waits for the client.
  func collect() async throws -> [DeskReply]
  /// The client has all that it was sent before the last `askReceipt`. The next `collect` drops it on Redis.
  func receipt() async throws -> [DeskReply]
  /// The client does not say what it has. What it is sent next does not wait for that, until it does.
  func receiptOverdue() async throws -> [DeskReply]
  /// This replica was taken for dead and is back under another name: what is held here is taken anew.
  func takePlaceAnew() async throws -> [DeskReply]
  /// Users, appliances, their sharing or tokens have changed.
  func accessChanged(_ change: AccessChange) async throws -> [DeskReply]
  /// The last call.
  /// - Parameter inGoodOrder: the client said goodbye, or was sent away for good: it does not come back to what it left.
  func closed(inGoodOrder: Bool) async
}

/// What is to be done with the connection.
enum DeskReply: Hashable, Sendable {
  /// A whole text frame's payload.
  case send([UInt8])
  /// The client is to show that it has all that was sent before. One at a time.
  case askReceipt
  /// What is held for the client is to be taken anew: it was given up.
  case takePlaceAnew
  /// An `error` frame for a client's mistake; too many close the connection.
  case refuse(SignalingRejection)
  /// An `error` frame for what the server cannot do now.
  case fail(SignalingRejection)
  /// The client has said who it is; a token with an end is good until then.
  case introduced(until: Timestamp?)
  /// Nothing more is done for the client after this.
  case close(WebSocketCloseCode, String)
}

extension DeskReply {
  static func send(_ message: SignalingServerMessage, _ requestID: String? = nil) -> DeskReply {
    .send(message.encoded(at: .now(), requestID: requestID))
  }

  static func refuse(_ message: String, _ requestID: String?) -> DeskReply { .refuse(SignalingRejection(message, requestID: requestID)) }

  /// In the document's own words.
  static func refuse(_ rejection: SignalingRejection, _ requestID: String?) -> DeskReply { refuse(rejection.message, requestID) }
}

/// What the server says when Redis or PostgreSQL does not answer.
enum Unavailability {
  static let message = "Temporarily unavailable; try again in a moment"
}
