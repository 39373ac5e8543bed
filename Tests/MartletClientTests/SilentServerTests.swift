import MartletClient
import NIOCore
import NIOPosix
import Testing

/// A server that takes the connection and says nothing, not even to the handshake.
@Suite(.timeLimit(.minutes(1))) struct SilentServerTests {
  @Test func `It is left and tried again, and does not hold up the end`() async throws {
    let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { channel in
        arrived.yield()
        return channel.eventLoop.makeSucceededVoidFuture()
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(server.localAddress?.port)
    let timing = Timing(sleep: { duration, _ in try await Task.sleep(for: duration / 100) }, now: { .zero }, random: { 1 })
    let client = try MartletClient(url: "ws://127.0.0.1:\(port)/ws", api: nil, token: nil, timing: timing) { _ in }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await client.run() }
      var count = 0
      for await _ in arrivals {
        count += 1
        if count == 3 { break }
      }
      #expect(await client.state == .connecting)
      group.cancelAll()
      try await group.waitForAll()
    }
    try await server.close()
  }
}
