/// What the server says on the WebMACS document's two endpoints, each encoded as one text frame's payload.
package enum WebMACSServerMessage: Hashable, Sendable {
  /// `{"type":"connected","message":"Subscribed to live datapoint stream."}`
  case connected
  case pong
  /// `{"type":"error","message"}`
  case error(String)
  /// `{"type":"error","message":"2 of 5 datapoints rejected","rejected":[{"index","reason"}]}`; without any that was kept, the document's text alone.
  case refused([WebMACSRefusal], of: Int)
  /// `{"type":"ack","accepted":n,"rejected":m}`: the batch is durable.
  case ack(accepted: Int, rejected: Int)
  /// `{"type":"token:expiring","timestamp","data":{"expires_at"}}`: the connection ends then, unless the client sends `auth` with another token.
  case tokenExpiring(Timestamp, expiresAt: Timestamp)
  /// `{"type":"authenticated","timestamp","data":{"expires_at"}}`: the token in `auth` counts from now on.
  case authenticated(Timestamp, expiresAt: Timestamp)

  package static let noValidDatapoints = WebMACSServerMessage.error("No valid datapoints in batch")

  package func encoded() -> [UInt8] {
    var text: [UInt8] = []
    switch self {
    case .connected: text.append("{\"type\":\"connected\",\"message\":\"Subscribed to live datapoint stream.\"")
    case .pong: text.append("{\"type\":\"pong\"")
    case .error(let message):
      text.append("{\"type\":\"error\",\"message\":")
      text.append(json: message)
    case .refused(let refusals, let count):
      text += Array("{\"type\":\"error\",\"message\":\"\(refusals.count) of \(count) datapoints rejected\",\"rejected\":[".utf8)
      for (index, refusal) in refusals.enumerated() {
        text += Array("\(index == 0 ? "" : ","){\"index\":\(refusal.index),\"reason\":".utf8)
        text.append(json: refusal.reason)
        text.append(UInt8(ascii: "}"))
      }
      text.append(UInt8(ascii: "]"))
    case .ack(let accepted, let rejected):
      text += Array("{\"type\":\"ack\",\"accepted\":\(accepted),\"rejected\":\(rejected)".utf8)
    case .tokenExpiring(let now, let end): Self.append("token:expiring", now, end, to: &text)
    case .authenticated(let now, let end): Self.append("authenticated", now, end, to: &text)
    }
    text.append(UInt8(ascii: "}"))
    return text
  }

  private static func append(_ type: String, _ now: Timestamp, _ end: Timestamp, to text: inout [UInt8]) {
    text += Array("{\"type\":\"\(type)\",\"timestamp\":\"\(now.iso8601)\",\"data\":{\"expires_at\":\"\(end.iso8601)\"}".utf8)
  }

  /// `{"type":"datapoints_batch","datapoints":[…]}`.
  ///
  /// - Parameter datapoints: objects as `WebMACSDatapoint` writes them.
  package static func datapointsBatch(_ datapoints: some Sequence<[UInt8]>) -> [UInt8] {
    var text: [UInt8] = []
    text.append("{\"type\":\"datapoints_batch\",\"datapoints\":[")
    for (index, datapoint) in datapoints.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      text += datapoint
    }
    text.append("]}")
    return text
  }
}

/// What an app may send on `/ws/datapoints/stream`.
package enum WebMACSStreamMessage: Hashable, Sendable {
  case ping
  /// Another token in place of the one that runs out: `{"type":"auth","token":"…"}`.
  case auth(token: String)

  /// Reads one text frame. Throws what the client is to be told.
  package init(parsing frame: [UInt8]) throws(WebMACSRejection) {
    let object: JSONObject
    do { object = try JSONObject(parsing: frame) } catch { throw WebMACSRejection("The message is not valid: \(error)") }
    switch object.string("type") {
    case "ping": self = .ping
    case "auth":
      guard let token = object.string("token") else { throw WebMACSRejection("'token' is missing or no string") }
      self = .auth(token: token)
    case nil: throw WebMACSRejection("'type' is missing or no string")
    case let type?: throw WebMACSRejection("Unknown message type '\(type.prefix(64))'; known are ping and auth")
    }
  }
}
