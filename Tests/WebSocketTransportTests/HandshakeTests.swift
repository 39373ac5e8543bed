import NIOCore
import Testing
import WebSocketTestClient

@testable import WebSocketTransport

@Suite struct HandshakeTests {
  private func request(_ line: String = "GET /ws HTTP/1.1", _ headers: [String] = RawClient.headers) -> String {
    line + "\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private func replacing(_ name: String, with lines: String...) -> [String] {
    RawClient.headers.filter { !$0.hasPrefix(name + ":") } + lines
  }

  private func handshake(_ request: String, headBytesMax: Int = 1024) throws(HandshakeRefusal) -> Handshake.Accepted? {
    var handshake = Handshake(headBytesMax: headBytesMax)
    var input = ByteBuffer(string: request)
    return try handshake.next(&input, paths: ["/other", "/ws"])
  }

  private func expectRefused(_ status: Int, _ request: String, sourceLocation: SourceLocation = #_sourceLocation) {
    do throws(HandshakeRefusal) {
      _ = try handshake(request)
      Issue.record("not refused", sourceLocation: sourceLocation)
    } catch {
      #expect(error.status == status, "\(error.explanation)", sourceLocation: sourceLocation)
    }
  }

  @Test func `RFC 6455's example is answered as it says`() throws {
    let accepted = try #require(try handshake(request()))
    #expect(accepted.pathIndex == 1)
    #expect(String(buffer: accepted.answer).contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
    #expect(String(buffer: accepted.answer).hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
  }

  @Test func `The request is the same in every split, and what follows it is left`() throws {
    let bytes = Array(request("GET /ws?token=a%2Bb+c&x HTTP/1.1").utf8)
    for split in 0...bytes.count {
      var handshake = Handshake(headBytesMax: 1024)
      var first = ByteBuffer(bytes: bytes[..<split])
      var second = ByteBuffer(bytes: bytes[split...] + [1, 2, 3])
      let early = try handshake.next(&first, paths: ["/ws"])
      let accepted = try early ?? handshake.next(&second, paths: ["/ws"])
      let head = try #require(accepted?.head)
      #expect(head.path == "/ws")
      #expect(head.query.map(\.name) == ["token", "x"])
      #expect(head.query.map(\.value) == ["a+b c", ""])
      #expect(second.readableBytes == (early == nil ? 3 : 3 + bytes.count - split))
    }
  }

  @Test func `Header names and tokens are taken in any case and in lists`() throws {
    let headers = [
      "HOST: a", "upgrade: foo, WebSocket", "connection: keep-alive,\tUPGRADE", "sec-websocket-version:13",
      "sec-websocket-key:\tdGhlIHNhbXBsZSBub25jZQ== ",
    ]
    #expect(try handshake(request("GET /ws HTTP/1.1", headers)) != nil)
  }

  @Test func `The absolute form of the target is taken`() throws {
    #expect(try handshake(request("GET http://example.org/ws?a=b HTTP/1.1"))?.head.query.first?.value == "b")
    expectRefused(404, request("GET http://example.org HTTP/1.1"))
  }

  @Test func `An unknown path is not found, upgrade or not`() {
    expectRefused(404, request("GET /wss HTTP/1.1"))
    expectRefused(404, request("GET /ws/ HTTP/1.1"))
    expectRefused(404, request("GET / HTTP/1.1", ["Host: a"]))
  }

  @Test func `A request that is no upgrade is told to upgrade`() {
    expectRefused(426, request("GET /ws HTTP/1.1", ["Host: a"]))
    expectRefused(426, request("POST /ws HTTP/1.1", ["Host: a"]))
    expectRefused(426, request("GET /ws HTTP/1.1", replacing("Upgrade", with: "Upgrade: h2c")))
    expectRefused(426, request("GET /ws HTTP/1.1", replacing("Connection", with: "Connection: close")))
    expectRefused(426, request("GET /ws HTTP/1.0"))
  }

  @Test func `Another version is told the version that is spoken`() throws {
    for version in ["Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: 14", "X: y"] {
      expectRefused(426, request("GET /ws HTTP/1.1", replacing("Sec-WebSocket-Version", with: version)))
    }
    #expect(String(buffer: HandshakeRefusal.upgradeRequired.encoded()).contains("\r\nSec-WebSocket-Version: 13\r\n"))
  }

  @Test(arguments: [
    "", "short==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=!", "dGhlIHNhbXBsZSBub25j*A==", "dGhlIHNhbXBsZSBub25jZTEyMzQ=",
  ])
  func `A key that is not 16 bytes in base64 is refused`(key: String) {
    expectRefused(400, request("GET /ws HTTP/1.1", replacing("Sec-WebSocket-Key", with: "Sec-WebSocket-Key: \(key)")))
  }

  @Test func `Headers that must stand once are refused when missing or doubled`() {
    expectRefused(400, request("GET /ws HTTP/1.1", replacing("Host")))
    expectRefused(400, request("GET /ws HTTP/1.1", RawClient.headers + ["Host: b"]))
    expectRefused(400, request("GET /ws HTTP/1.1", replacing("Sec-WebSocket-Key")))
    expectRefused(400, request("GET /ws HTTP/1.1", RawClient.headers + ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]))
    expectRefused(426, request("GET /ws HTTP/1.1", RawClient.headers + ["Sec-WebSocket-Version: 13"]))
  }

  @Test func `Other methods and bodies are refused`() {
    expectRefused(405, request("POST /ws HTTP/1.1"))
    expectRefused(400, request("GET /ws HTTP/1.1", RawClient.headers + ["Content-Length: 5"]))
    expectRefused(400, request("GET /ws HTTP/1.1", RawClient.headers + ["Transfer-Encoding: chunked"]))
  }

  @Test(arguments: [
    "GET  /ws HTTP/1.1", "GET /ws", " GET /ws HTTP/1.1", "G(T /ws HTTP/1.1", "GET ws HTTP/1.1", "GET /ws HTTP/1", "GET /ws http/1.1",
    "GET /ws?a=%zz HTTP/1.1", "GET /ws?a=%f HTTP/1.1", "GET /ws?a=%ff HTTP/1.1", "GET /wé HTTP/1.1", "",
  ])
  func `A malformed request line is refused`(line: String) {
    expectRefused(400, request(line))
  }

  @Test func `Another major version of HTTP is refused`() {
    expectRefused(505, request("GET /ws HTTP/2.0"))
  }

  @Test(arguments: ["NoColon", ": empty", "Sp ace: a", "Name : a", " Folded: a", "X: a\u{0}b", "X: a\nY: b", "X: a\rb"])
  func `A malformed header is refused`(line: String) {
    expectRefused(400, request("GET /ws HTTP/1.1", RawClient.headers + [line]))
  }

  @Test func `A head over the limit is refused as soon as it is reached`() {
    expectRefused(431, "GET /ws HTTP/1.1\r\nX: " + String(repeating: "a", count: 1024))
    #expect(throws: Never.self) { try handshake("GET /ws HTTP/1.1\r\nX: " + String(repeating: "a", count: 1000)) }
  }

  @Test func `A bearer token is found whatever the scheme's case`() throws {
    let head = try #require(try handshake(request("GET /ws HTTP/1.1", RawClient.headers + ["Authorization: bearer  abc.def "]))).head
    let found = WebSocketRequest(head: head, remoteAddress: "::1")
    #expect(found.bearerToken == "abc.def")
    #expect(found.header("host") == "example.org")
    #expect(found.query("token") == nil)
  }
}
