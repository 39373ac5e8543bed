import NIOCore
import Testing
import TrustedProxies
import WebSocketTestClient

@testable import WebSocketTransport

@Suite(.timeLimit(.minutes(1))) struct WebSocketServerTests {
  @Test func `A message is echoed, a ping is answered with its payload, and a Close with its code`() async throws {
    try await TestServer.run { server in
      try await RawClient.open(port: server.port, "/echo") { client in
        try await client.send(.text("hello"), .ping([1, 2, 3]))
        #expect(try await client.read() == RawClient.Frame(opcode: 0x1, payload: Array("hello".utf8)))
        #expect(try await client.read() == RawClient.Frame(opcode: 0xA, payload: [1, 2, 3]))
        try await client.send(.close(4001, "bye"))
        #expect(try await client.read().closeCode == 4001)
        #expect(try await client.readToEnd().isEmpty)
      }
      #expect(await server.first { $0 != .opened(remoteAddress: "127.0.0.1") } == .closed(WebSocketCloseCode(rawValue: 4001)))
    }
  }

  @Test func `Frames of one byte at a time and messages of many reads come through`() async throws {
    try await TestServer.run(limits: WebSocketLimits(messageBytesMax: 200_000)) { server in
      try await RawClient.open(port: server.port, "/echo") { client in
        for byte in ClientFrame.text("slow").encoded { try await client.send([byte]) }
        #expect(try await client.read().text == "slow")
        for count in [126, 511, 512, 513, 16_384, 65_535, 65_536, 200_000] {
          let text = String(repeating: "é", count: count / 2)
          try await client.send(.text(text))
          #expect(try await client.read().text == text)
        }
      }
    }
  }

  @Test(
    arguments: [
      (ClientFrame(first: 0x81, payload: [0x61], mask: nil), 1002), (ClientFrame(first: 0xC1, payload: []), 1002),
      (ClientFrame(first: 0x83, payload: []), 1002), (ClientFrame(first: 0x82, payload: [1]), 1003),
      (ClientFrame(first: 0x09, payload: []), 1002), (ClientFrame(first: 0x89, payload: [UInt8](repeating: 0, count: 126)), 1002),
      (ClientFrame(first: 0x81, payload: [0x61], lengthBytes: 2), 1002), (ClientFrame.text([0xFF]), 1007),
      (ClientFrame.text(String(repeating: "a", count: 200_000)), 1009), (ClientFrame.close(1005), 1002),
      (ClientFrame.continuation("a", isFinal: true), 1002),
    ] as [(ClientFrame, UInt16)])
  func `A client that breaks the rules is told why, and others notice nothing`(frame: ClientFrame, code: UInt16) async throws {
    try await TestServer.run { server in
      try await RawClient.open(port: server.port, "/echo") { bystander in
        try await RawClient.open(port: server.port, "/echo") { client in
          try await client.send(frame)
          #expect(try await client.read().closeCode == code)
          #expect(try await client.readToEnd().isEmpty)
        }
        let closed = await server.first { if case .closed = $0 { true } else { false } }
        #expect(closed == .closed(WebSocketCloseCode(rawValue: code)))
        try await bystander.send(.text("still here"))
        #expect(try await bystander.read().text == "still here")
      }
    }
  }

  @Test func `The server's Close ends the connection once the client answers`() async throws {
    try await TestServer.run { server in
      try await RawClient.open(port: server.port, "/echo") { client in
        try await client.send(.text("close"), .text("too late"), .ping())
        let close = try await client.read()
        #expect(close.closeCode == 1008)
        #expect(close.closeReason == "You asked for it")
        try await client.send(.close(1008))
        #expect(try await client.readToEnd().isEmpty)
      }
    }
  }

  @Test func `A client that does not answer a Close is cut off at the deadline`() async throws {
    try await TestServer.run(configure: { $0.closeTimeout = .milliseconds(20) }) { server in
      try await RawClient.open(port: server.port, "/echo") { client in
        try await client.send(.text("close"))
        #expect(try await client.read().closeCode == 1008)
        #expect(try await client.readToEnd().isEmpty)
      }
    }
  }

  @Test func `A silent client is closed, and one that pings is not`() async throws {
    try await TestServer.run(limits: WebSocketLimits(idleTimeout: .seconds(1))) { server in
      try await RawClient.open(port: server.port, "/echo") { silent in
        try await RawClient.open(port: server.port, "/echo") { active in
          while await server.server.statistics().closed.isEmpty {
            try await active.send(.ping())
            #expect(try await active.read().opcode == 0xA)
          }
          try await active.send(.text("still here"))
          #expect(try await active.read().text == "still here")
        }
        let close = try await silent.read()
        #expect(close.closeCode == 1001)
      }
    }
  }

  @Test func `The server pings where the route asks for it`() async throws {
    try await TestServer.run(limits: WebSocketLimits(pingInterval: .milliseconds(20))) { server in
      try await RawClient.open(port: server.port, "/echo") { client in
        for _ in 0..<3 {
          #expect(try await client.read() == RawClient.Frame(opcode: 0x9, payload: []))
          try await client.send(.pong())
        }
      }
    }
  }

  @Test func `A session that pings hears the pong, with what it asked by`() async throws {
    try await TestServer.run { server in
      try await RawClient.open(port: server.port, "/echo") { client in
        try await client.send(.pong(Array("unasked".utf8)), .text("ping"))
        let ping = try await client.read()
        #expect(ping == RawClient.Frame(opcode: 0x9, payload: Array("asked".utf8)))
        try await client.send(.pong(ping.payload))
        #expect(await server.first { if case .ponged = $0 { true } else { false } } == .ponged(Array("unasked".utf8)))
        #expect(await server.first { if case .ponged = $0 { true } else { false } } == .ponged(Array("asked".utf8)))
      }
    }
  }

  @Test func `A client that does not read is closed once too much waits for it`() async throws {
    try await TestServer.run(limits: WebSocketLimits(outboundBytesMax: 1 << 20), configure: { $0.closeTimeout = .milliseconds(50) }) {
      server in
      try await RawClient.open(port: server.port, "/echo") { client in
        try await client.send(.text("flood 40000000"))
        #expect(await server.first { if case .closed = $0 { true } else { false } } == .closed(.tryAgainLater))
      }
      #expect(await server.server.statistics().closed == [.tryAgainLater: 1])
    }
  }

  @Test func `A session hears when its client has caught up, and nothing is lost or moved`() async throws {
    let count = 20_000_000
    try await TestServer.run(limits: WebSocketLimits(outboundBytesMax: 2 * count)) { server in
      try await RawClient.open(port: server.port, "/echo") { client in
        try await client.send(.text("flood \(count)"), .text("after"))
        let blocked = await server.first { if case .blocked = $0 { true } else { false } }
        #expect(blocked != nil)
        let flood = try await client.read().payload
        #expect(flood.count == count)
        #expect(flood.allSatisfy { $0 == UInt8(ascii: "f") })
        #expect(try await client.read().text == "after")
        #expect(await server.first { $0 == .becameWritable } == .becameWritable)
      }
    }
  }

  @Test func `A lost connection is told as such`() async throws {
    try await TestServer.run { server in
      try await RawClient.open(port: server.port, "/echo") { client in try await client.send(.text("half", isFinal: false)) }
      #expect(await server.first { if case .closed = $0 { true } else { false } } == .closed(.abnormal))
    }
  }

  @Test func `Requests that become no WebSocket get their answer and the end of the connection`() async throws {
    try await TestServer.run { server in
      let requests = [
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "404"), ("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", "426"),
        ("nonsense\r\n\r\n", "400"), (String(repeating: "x", count: 9000), "431"),
      ]
      for (request, status) in requests {
        try await RawClient.with(port: server.port) { client in
          try await client.send(Array(request.utf8))
          #expect(try await client.readHead().hasPrefix("HTTP/1.1 \(status) "))
          _ = try await client.readToEnd()
        }
      }
      #expect(await server.server.statistics().handshakesRefused == [404: 1, 426: 1, 400: 1, 431: 1])
    }
  }

  @Test func `A request that does not arrive in time is given up`() async throws {
    try await TestServer.run(configure: { $0.handshakeTimeout = .milliseconds(20) }) { server in
      try await RawClient.with(port: server.port) { client in
        let answer = try await client.readHead()
        #expect(answer.hasPrefix("HTTP/1.1 408 "))
      }
    }
  }

  @Test func `A full server refuses, and takes the next client when one has left`() async throws {
    try await TestServer.run(configure: { $0.connectionsMax = 1 }) { server in
      try await RawClient.open(port: server.port, "/echo") { first in
        try await RawClient.with(port: server.port) { second in
          try await second.send(RawClient.request("/echo"))
          let head = try await second.readHead()
          #expect(head.hasPrefix("HTTP/1.1 503 "))
          #expect(head.contains("\r\nRetry-After: 5"))
          _ = try await second.readToEnd()
        }
        try await first.send(.close(1000))
        _ = try await first.readToEnd()
      }
      _ = await server.first { if case .closed = $0 { true } else { false } }
      try await RawClient.open(port: server.port, "/echo") { _ in }
    }
  }

  @Test func `Requests that are read at the same time are bounded`() async throws {
    try await TestServer.run(configure: { $0.handshakesMax = 1 }) { server in
      try await RawClient.with(port: server.port) { slow in
        try await slow.send(Array("GET".utf8))
        var answers: Set<String> = []
        while !answers.contains("HTTP/1.1 503") {
          answers.insert(
            try await RawClient.with(port: server.port) { other in
              try await other.send(RawClient.request("/echo"))
              return String(try await other.readHead().prefix(12))
            })
        }
      }
    }
  }

  @Test func `A shutdown tells every client and ends when they have gone`() async throws {
    try await TestServer.run(loopCount: 2, configure: { $0.drainPeriod = .milliseconds(200) }) { server in
      try await withThrowingTaskGroup { clients in
        let (opened, sink) = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<8 {
          clients.addTask {
            try await RawClient.open(port: server.port, "/echo") { client in
              sink.yield()
              #expect(try await client.read().closeCode == 1001)
              try await client.send(.close(1001))
              #expect(try await client.readToEnd().isEmpty)
            }
          }
        }
        var iterator = opened.makeAsyncIterator()
        for _ in 0..<8 { await iterator.next() }
        await server.shutDown()
        try await clients.waitForAll()
      }
    }
  }

  @Test func `A port that is taken is told by name`() async throws {
    try await TestServer.run { server in
      let error = await #expect(throws: WebSocketServerError.self) {
        try await TestServer.run(configure: { $0.port = server.port }) { _ in }
      }
      #expect(error?.code == .addressInUse)
      #expect(error?.description.contains("127.0.0.1:\(server.port)") == true)
    }
  }

  @Test func `The client behind a trusted proxy is who the proxy says`() async throws {
    try await TestServer.run(configure: { $0.trustedProxies = TrustedProxies("127.0.0.0/8") ?? .none }) { server in
      try await RawClient.with(port: server.port) { client in
        try await client.send(RawClient.request("/echo", adding: ["X-Forwarded-For: 203.0.113.9"]))
        _ = try await client.readHead()
      }
      #expect(await server.first { _ in true } == .opened(remoteAddress: "203.0.113.9"))
    }
  }
}
