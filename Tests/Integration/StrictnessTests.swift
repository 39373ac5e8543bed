import LocalStack
import Testing

/// A client that breaks the rules is closed with the code that says so, and the others notice nothing.
@Suite(.timeLimit(.minutes(5))) struct StrictnessTests {
  private static let expected = [
    "unmasked": "1002", "bad-utf8": "1007", "bad-utf8-across-fragments": "1007", "oversized": "1009", "oversized-in-fragments": "1009",
    "reserved-bit": "1002", "reserved-opcode": "1002", "reserved-control-opcode": "1002", "binary": "1003", "long-ping": "1002",
    "fragmented-ping": "1002", "continuation-of-nothing": "1002", "text-inside-a-fragmented-text": "1002",
    "close-with-one-byte": "1002", "close-with-a-forbidden-code": "1002",
  ]

  @Test func `Each kind of bad frame gets its close code and no one else notices`() async throws {
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1) { backbone in
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: ["EPIC-001"]) { witness in
        let gateway = try backbone.stack.service("gateway-1")
        let lines = try await Tool.run(
          ["/usr/bin/python3", Clients.path("bad_frames.py"), gateway.host, String(gateway.port)], environment: ["TOKEN": backbone.token])
        let pairs = lines.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        let codes = Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
        #expect(codes == Self.expected)

        try await backbone.stack.mosquitto.publish("-q", "1", "-t", "epicura/EPIC-001/alert", "-m", #"{"alert_type":"after"}"#)
        _ = try await witness.event("appliance:alert")
        #expect(await witness.mailbox.count(ofType: "test:closed") == 0)
      }
    }
  }

  @Test func `A bad token is closed with 1008 and the text of the document`() async throws {
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1) { backbone in
      let script = """
        import asyncio, sys, websockets
        async def main():
            for query in ("", "?token=nonsense"):
                async with websockets.connect(sys.argv[1] + query) as socket:
                    await socket.wait_closed()
                    sys.stdout.write(f"{socket.close_code} {socket.close_reason}\\n")
        asyncio.run(main())
        """
      let lines = try await Tool.run(["/usr/bin/python3", "-c", script, backbone.gateway(1)])
      #expect(lines == "1008 Authentication required\n1008 Invalid or expired token")
    }
  }
}
