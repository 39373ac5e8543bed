internal import Digests
internal import NIOCore

/// The server's half of the opening handshake (RFC 6455, section 4.2), fed with bytes as they come.
struct Handshake: Sendable {
  /// A request that may become a WebSocket.
  struct Accepted: Equatable, Sendable {
    let head: RequestHead
    /// Where its path stands among the paths that were offered.
    let pathIndex: Int
    /// The answer that turns the connection into a WebSocket.
    let answer: ByteBuffer
  }

  private let headBytesMax: Int
  private var head: [UInt8] = []

  init(headBytesMax: Int) { self.headBytesMax = headBytesMax }

  /// Takes the request's head out of `input`; nil while it is not whole. What follows the head stays in `input`.
  ///
  /// Throws the answer for a request that is malformed, too large, for none of `paths`, or no upgrade.
  mutating func next(_ input: inout ByteBuffer, paths: [String]) throws(HandshakeRefusal) -> Accepted? {
    let before = head.count
    head += input.readableBytesView.prefix(headBytesMax - before)
    guard let end = endOfHead(searchingFrom: max(0, before - 3)) else {
      guard head.count < headBytesMax else { throw .headTooLarge(bytesMax: headBytesMax) }
      input.moveReaderIndex(to: input.writerIndex)
      return nil
    }
    input.moveReaderIndex(forwardBy: end + 4 - before)
    return try Self.accept(RequestHead(parsing: head[..<end]), paths: paths)
  }

  /// Where the empty line begins that ends the head.
  private func endOfHead(searchingFrom start: Int) -> Int? {
    var index = start
    while index + 4 <= head.count {
      if head[index] == 0x0D, head[index + 1] == 0x0A, head[index + 2] == 0x0D, head[index + 3] == 0x0A { return index }
      index += 1
    }
    return nil
  }

  private static func accept(_ head: RequestHead, paths: [String]) throws(HandshakeRefusal) -> Accepted {
    guard let pathIndex = paths.firstIndex(of: head.path) else { throw .notFound }
    guard head.minorVersion >= 1, head.lists("websocket", in: "upgrade"), head.lists("upgrade", in: "connection") else {
      throw .upgradeRequired
    }
    guard head.method == "GET" else { throw .wrongMethod }
    guard head.headers.allSatisfy({ $0.name != "transfer-encoding" && ($0.name != "content-length" || $0.value == "0") }) else {
      throw .badRequest("An upgrade request carries no body")
    }
    guard head.only("sec-websocket-version") == "13" else { throw .upgradeRequired }
    guard let key = head.only("sec-websocket-key"), Base64.isKey(key) else {
      throw .badRequest("Sec-WebSocket-Key must be 16 bytes in base64")
    }
    return Accepted(head: head, pathIndex: pathIndex, answer: answer(to: key))
  }

  private static func answer(to key: String) -> ByteBuffer {
    let digest = Digests.sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
    var answer = ByteBuffer()
    answer.writeStaticString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
    answer.writeBytes(Base64.encode(digest))
    answer.writeStaticString("\r\n\r\n")
    return answer
  }
}

/// As much of RFC 4648 as the handshake needs.
private enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// Whether `text` is the base64 of 16 bytes.
  static func isKey(_ text: String) -> Bool {
    let bytes = text.utf8
    return bytes.count == 24 && bytes.suffix(2).elementsEqual("==".utf8) && bytes.prefix(22).allSatisfy(alphabet.contains)
  }

  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << (16 - 8 * $1.offset) }
      for position in 0..<4 {
        output.append(position <= group.count ? alphabet[Int(bits >> (18 - 6 * position) & 63)] : UInt8(ascii: "="))
      }
    }
    return output
  }
}
