import LocalStack
import NIOCore
import NIOPosix
import Testing

@testable import RedisClient

@Suite("A client of a real cluster", .serialized, .timeLimit(.minutes(3)))
struct RedisClusterTests {
  private nonisolated(nonsending) func withCluster(
    tls: Bool = false, _ body: nonisolated(nonsending) (LocalStack, RedisConfiguration) async throws -> Void
  ) async throws {
    var servers = LocalStackConfiguration([.redis])
    servers.redisMasters = 3
    servers.tls = tls
    try await LocalStack.run(servers) { stack in
      let cluster = try stack.redisCluster
      var configuration = try RedisConfiguration(
        url: cluster.url(.admin), password: cluster.password(.admin), caFile: cluster.caFile)
      configuration.callTimeout = .seconds(20)
      try await body(stack, configuration)
    }
  }

  @Test func `commands of one call go to all nodes, and their replies come back in order`() async throws {
    try await withCluster { _, configuration in
      try await RedisClient.check(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
      let redis = makeClient(configuration)
      try await running(redis) {
        let keys = (0..<500).map { "key:\($0)" }
        let written = try await redis.pipeline(keys.map { RedisCommand("SET", $0, "value of \($0)") }, isReplicated: true)
        #expect(written.allSatisfy { $0 == .success(.status("OK")) })
        let read = try await redis.pipeline(keys.map { RedisCommand("GET", $0) })
        #expect(try read.map { try $0.get().text } == keys.map { "value of \($0)" })
        let counts = try await redis.broadcast(RedisCommand("INFO", "keyspace")).map { try $0.get().text ?? "" }
        #expect(counts.count == 3 && counts.allSatisfy { $0.contains("keys=") }, "each master has some of them")
        let error = await #expect(throws: RedisError.self) { try await redis.send(RedisCommand("RENAME", "foo", "hello")) }
        #expect(error?.code == .server("CROSSSLOT"))
      }
    }
  }

  @Test func `TLS goes to every node, and to subscriptions`() async throws {
    try await withCluster(tls: true) { _, configuration in
      try await RedisClient.check(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
      let redis = makeClient(configuration)
      try await running(redis) {
        let pairs = try await redis.pipeline((0..<50).flatMap { [RedisCommand("SET", "key:\($0)", $0), RedisCommand("GET", "key:\($0)")] })
        #expect(try pairs.map { try $0.get().text } == (0..<50).flatMap { ["OK", "\($0)"] })
        try await listening(configuration) { subscription, lines in
          subscription.subscribe("a")
          #expect(await lines.next() == "subscribed a")
          _ = try await redis.send(RedisCommand("PUBLISH", "a", "text"))
          #expect(await lines.next() == "a: text")
        }
      }
    }
  }

  @Test func `what is set up wrong is told with its remedy`() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    try await withCluster { stack, _ in
      let node = try stack.redisCluster.nodes[0]
      let single = try RedisConfiguration(url: node.url(.admin), password: node.password(.admin))
      let client = makeClient(single)
      try await running(client) {
        let outcomes = try await client.pipeline((0..<50).map { RedisCommand("GET", "key:\($0)") }, timeout: .seconds(20))
        let errors = outcomes.compactMap { outcome -> RedisError? in if case .failure(let error) = outcome { error } else { nil } }
        #expect(!errors.isEmpty)
        #expect(errors.allSatisfy { $0.code == .server("MOVED") && $0.message.contains("name several of its nodes") })
      }
    }
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      let several = try RedisConfiguration(
        url: "redis://admin@127.0.0.1:\(redis.port),localhost:\(redis.port)", password: redis.password(.admin))
      let error = await #expect(throws: RedisError.self) { try await RedisClient.check(several, eventLoop: loop) }
      #expect(error?.code == .configuration && error?.message.contains("no node of a cluster") == true)
    }
  }

  private nonisolated(nonsending) func listening(
    _ configuration: RedisConfiguration,
    _ body: nonisolated(nonsending) (RedisSubscription, AsyncStream<String>) async throws -> Void
  ) async throws {
    let (stream, continuation) = AsyncStream.makeStream(of: String.self)
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let subscription = try await loop.submit {
      RedisSubscription(configuration: configuration, eventLoop: loop, receiver: Recorder(continuation), logger: quiet)
    }.get()
    try await running(subscription) { try await body(subscription, stream) }
  }

  @Test func `channels are heard from all masters, and again from who takes a killed one's place`() async throws {
    try await withCluster { stack, configuration in
      let cluster = try stack.redisCluster
      let redis = makeClient(configuration)
      try await running(redis) {
        try await listening(configuration) { subscription, lines in
          let channels = (0..<60).map { "channel:\($0)" }
          for channel in channels { subscription.subscribe(channel) }
          try await confirmed(channels, lines)
          _ = try await redis.pipeline(channels.map { RedisCommand("PUBLISH", $0, "first") })
          var heard: Set<String> = []
          while heard.count < channels.count, let line = await lines.next() { heard.insert(line) }
          #expect(heard == Set(channels.map { "\($0): first" }))

          let victim = try await cluster.master(of: HashSlot.of(channels[0].utf8))
          try await stack.kill(victim.name)
          #expect(await lines.next() == "disconnected")
          // Those of the others at once, those of the killed one when its replica has taken its place.
          try await confirmed(channels, lines)
          let members = try await cluster.members()
          #expect(members.contains { $0.isMaster && $0.slots == victim.slots && $0.name != victim.name })
          _ = try await redis.pipeline(channels.map { RedisCommand("PUBLISH", $0, "second") })
          heard = []
          while heard.count < channels.count, let line = await lines.next() { if line.hasSuffix(": second") { heard.insert(line) } }
          #expect(heard.count == channels.count)
        }
      }
    }
  }

  /// Waits until each channel was confirmed since the last `disconnected`.
  private func confirmed(_ channels: [String], _ lines: AsyncStream<String>) async throws {
    var missing = Set(channels)
    while !missing.isEmpty {
      let line = try #require(await lines.next())
      if line == "disconnected" { missing = Set(channels) }
      if line.hasPrefix("subscribed ") { missing.remove(String(line.dropFirst(11))) }
    }
  }
}
