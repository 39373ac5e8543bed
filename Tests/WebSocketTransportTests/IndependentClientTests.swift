import Foundation
import Testing

/// The server against a client that none of this code wrote: Python's `websockets`.
@Suite(.timeLimit(.minutes(1))) struct IndependentClientTests {
  private static let script = """
    import asyncio, sys, websockets

    async def main():
        async with websockets.connect(f"ws://127.0.0.1:{sys.argv[1]}/echo?x=y", compression=None) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            await socket.send(["frag", "mén", "ts"])
            assert await socket.recv() == "fragménts"
            big = "x" * 16000
            await socket.send(big)
            assert await socket.recv() == big
            await asyncio.wait_for(await socket.ping(b"payload"), 10)
            await socket.close(4000, "done")
            assert socket.close_code == 4000
        async with websockets.connect(f"ws://127.0.0.1:{sys.argv[1]}/echo") as socket:
            await socket.send("close")
            try:
                await socket.recv()
            except websockets.ConnectionClosed as closed:
                assert (closed.code, closed.reason) == (1008, "You asked for it")

    asyncio.run(main())
    """

  @Test func `Python's websockets talks to it`() async throws {
    try await TestServer.run { server in
      let python = Process()
      python.executableURL = URL(filePath: "/usr/bin/python3")
      python.arguments = ["-c", Self.script, String(server.port)]
      let errors = Pipe()
      python.standardError = errors
      let (exits, sink) = AsyncStream.makeStream(of: Int32.self)
      python.terminationHandler = { sink.yield($0.terminationStatus) }
      try python.run()
      let status = await exits.first { _ in true }
      #expect(status == 0, "\(String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))")
    }
  }
}
