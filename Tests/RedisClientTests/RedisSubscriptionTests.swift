import LocalStack
import NIOCore
import NIOPosix
import Testing

@testable import RedisClient

@Suite("Redis subscription against a real server", .timeLimit(.minutes(2)))
struct RedisSubscriptionTests {
  private nonisolated(nonsending) func withSubscription(
    _ adjust: (inout RedisConfiguration) -> Void = { _ in },
    _ body: nonisolated(nonsending) (LocalStack, RedisClient, RedisSubscription, AsyncStream<String>) async throws -> Void
  ) async throws {
    try await withRedis { stack, redis in
      var configuration = try stack.redisConfiguration()
      adjust(&configuration)
      let (stream, continuation) = AsyncStream.makeStream(of: String.self)
      let loop = MultiThreadedEventLoopGroup.singleton.next()
      let subscription = try await loop.submit { [configuration] in
        RedisSubscription(configuration: configuration, eventLoop: loop, receiver: Recorder(continuation), logger: quiet)
      }.get()
      try await running(subscription) {
        try await body(stack, redis, subscription, stream)
      }
    }
  }

  @Test func `messages of subscribed channels come in order, and of no others`() async throws {
    try await withSubscription { _, redis, subscription, lines in
      subscription.subscribe("a")
      #expect(await lines.next() == "subscribed a")
      let publications = (0..<500).flatMap { [RedisCommand("PUBLISH", "other", "no"), RedisCommand("PUBLISH", "a", "\($0)")] }
      _ = try await redis.pipeline(publications)
      for number in 0..<500 { #expect(await lines.next() == "a: \(number)") }
      subscription.unsubscribe("a")
      subscription.subscribe("b")
      #expect(await lines.next() == "subscribed b")
      _ = try await redis.pipeline([RedisCommand("PUBLISH", "a", "gone"), RedisCommand("PUBLISH", "b", "here")])
      #expect(await lines.next() == "b: here")
    }
  }

  @Test func `a channel that is given up and wanted again in one tick is confirmed to who wants it now`() async throws {
    try await withSubscription { _, _, subscription, lines in
      subscription.subscribe("a")
      #expect(await lines.next() == "subscribed a")
      try await subscription.eventLoop.submit {
        subscription.unsubscribe("a")
        subscription.subscribe("a")
      }.get()
      #expect(await lines.next() == "subscribed a")
    }
  }

  @Test func `thousands of channels are subscribed, also when asked for before the connection`() async throws {
    try await withSubscription { _, _, subscription, lines in
      for number in 0..<3000 { subscription.subscribe("channel \(number)") }
      var confirmed: Set<String> = []
      while confirmed.count < 3000, let line = await lines.next() { confirmed.insert(line) }
      #expect(confirmed.count == 3000)
    }
  }

  @Test func `a server that is killed and comes back is subscribed again, and both are told`() async throws {
    try await withSubscription { stack, redis, subscription, lines in
      subscription.subscribe("a")
      #expect(await lines.next() == "subscribed a")
      try await stack.kill("redis")
      #expect(await lines.next() == "disconnected")
      subscription.subscribe("b")
      try await stack.start("redis")
      let confirmed = [await lines.next(), await lines.next()]
      #expect(Set(confirmed) == ["subscribed a", "subscribed b"])
      _ = try await redis.send(RedisCommand("PUBLISH", "a", "again"))
      #expect(await lines.next() == "a: again")
    }
  }

  @Test func `a peer that falls silent on an idle subscription is noticed`() async throws {
    try await withSubscription {
      $0.pingInterval = .milliseconds(50)
      $0.callTimeout = .milliseconds(200)
    } _: { stack, _, subscription, lines in
      subscription.subscribe("a")
      #expect(await lines.next() == "subscribed a")
      try await stack.pause("redis")
      #expect(await lines.next() == "disconnected")
      try await stack.resume("redis")
      #expect(await lines.next() == "subscribed a")
    }
  }

  @Test func `a large message with any bytes goes through unchanged`() async throws {
    try await withSubscription { _, redis, subscription, lines in
      subscription.subscribe("a")
      #expect(await lines.next() == "subscribed a")
      let text = String(repeating: "long\r\n$3\r\n", count: 100_000)
      _ = try await redis.send(RedisCommand("PUBLISH", "a", text))
      #expect(await lines.next() == "a: \(text)")
    }
  }
}
