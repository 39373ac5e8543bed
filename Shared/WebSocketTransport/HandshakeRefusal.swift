internal import NIOCore

/// An HTTP answer to a request that becomes no WebSocket.
struct HandshakeRefusal: Error, Equatable, Sendable {
  var status: Int
  /// One sentence for the person who looks at the answer.
  var explanation: String
  var headers: [String] = []

  static func badRequest(_ explanation: String) -> Self { Self(status: 400, explanation: explanation) }

  static let notFound = Self(status: 404, explanation: "There is no endpoint at this path")
  static let wrongMethod = Self(status: 405, explanation: "A WebSocket is opened with GET", headers: ["Allow: GET"])
  static let timeout = Self(status: 408, explanation: "The request took too long")
  static let upgradeRequired = Self(
    status: 426, explanation: "This endpoint speaks WebSocket version 13 only",
    headers: ["Upgrade: websocket", "Sec-WebSocket-Version: 13"])

  static func headTooLarge(bytesMax: Int) -> Self {
    Self(status: 431, explanation: "The request's head may have \(bytesMax) bytes")
  }

  static func unavailable(_ explanation: String, retryAfterSeconds: Int) -> Self {
    Self(status: 503, explanation: explanation, headers: ["Retry-After: \(retryAfterSeconds)"])
  }

  /// The whole answer; it announces that the connection ends with it.
  func encoded() -> ByteBuffer {
    let connection = status == 426 ? "Upgrade, close" : "close"
    var text = "HTTP/1.1 \(status) \(phrase)\r\nConnection: \(connection)\r\n"
    for header in headers { text += header + "\r\n" }
    text += "Content-Type: text/plain; charset=utf-8\r\nContent-Length: \(explanation.utf8.count + 1)\r\n\r\n\(explanation)\n"
    return ByteBuffer(string: text)
  }

  private var phrase: String {
    switch status {
    case 400: "Bad Request"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 426: "Upgrade Required"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    default: "Error"
    }
  }
}
