internal import NIOCore
internal import NIOPosix

/// A client that sends the bytes it is told to and reads frames as they come: the test decides what is legal.
package final class RawClient {
  package struct Frame: Equatable, Sendable {
    package let opcode: UInt8
    package let payload: [UInt8]

    package init(opcode: UInt8, payload: [UInt8]) {
      self.opcode = opcode
      self.payload = payload
    }

    package var text: String { String(decoding: payload, as: UTF8.self) }
    package var closeCode: UInt16? { opcode == 0x8 && payload.count >= 2 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : nil }
    package var closeReason: String { String(decoding: payload.dropFirst(2), as: UTF8.self) }
  }

  /// The headers of a legal request; the key is RFC 6455's example.
  package static let headers = [
    "Host: example.org", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ]

  package static func request(_ target: String, adding headers: [String] = []) -> [UInt8] {
    Array(("GET \(target) HTTP/1.1\r\n" + (Self.headers + headers).map { $0 + "\r\n" }.joined() + "\r\n").utf8)
  }

  private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
  private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
  private var received: [UInt8] = []

  private init(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) {
    self.inbound = inbound.makeAsyncIterator()
    self.outbound = outbound
  }

  /// Connects for the time of `body`.
  package static func with<Result>(port: Int, _ body: (RawClient) async throws -> Result) async throws -> Result {
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    return try await channel.executeThenClose { inbound, outbound in try await body(RawClient(inbound, outbound)) }
  }

  /// Connects and opens a WebSocket.
  package static func open<Result>(
    port: Int, _ target: String, adding headers: [String] = [], _ body: (RawClient) async throws -> Result
  ) async throws -> Result {
    try await with(port: port) { client in
      try await client.send(request(target, adding: headers))
      let head = try await client.readHead()
      guard head.hasPrefix("HTTP/1.1 101 ") else { throw Unexpected(what: head) }
      return try await body(client)
    }
  }

  /// The server did something else than the test can go on with.
  package struct Unexpected: Error {
    package let what: String

    package init(what: String) { self.what = what }
  }

  package func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }
  package func send(_ frames: ClientFrame...) async throws { try await send(frames.encoded) }

  /// The head of an HTTP answer.
  package func readHead() async throws -> String {
    while true {
      if let end = received.indices.dropLast(3).first(where: { received[$0..<($0 + 4)].elementsEqual("\r\n\r\n".utf8) }) {
        defer { received.removeFirst(end + 4) }
        return String(decoding: received[..<end], as: UTF8.self)
      }
      try await more()
    }
  }

  /// The next frame.
  package func read() async throws -> Frame {
    while true {
      if let frame = takeFrame() { return frame }
      try await more()
    }
  }

  /// All that comes until the server ends the connection.
  package func readToEnd() async throws -> [UInt8] {
    while let part = try await inbound.next() { received += part.readableBytesView }
    return received
  }

  private func more() async throws {
    guard let part = try await inbound.next() else { throw Unexpected(what: "the server closed the connection") }
    received += part.readableBytesView
  }

  private func takeFrame() -> Frame? {
    guard received.count >= 2 else { return nil }
    let short = Int(received[1])
    let extra = short == 126 ? 2 : short == 127 ? 8 : 0
    guard received.count >= 2 + extra else { return nil }
    let length = extra == 0 ? short : received[2..<(2 + extra)].reduce(0) { $0 << 8 | Int($1) }
    guard received.count >= 2 + extra + length else { return nil }
    let frame = Frame(opcode: received[0] & 0x0F, payload: Array(received[(2 + extra)..<(2 + extra + length)]))
    received.removeFirst(2 + extra + length)
    return frame
  }
}
