import LocalStack
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import RedisClient

@Suite("Log-in and TLS", .timeLimit(.minutes(2)))
struct LogInTests {
  private func check(_ configuration: RedisConfiguration) async -> RedisError? {
    do {
      try await RedisClient.check(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
      return nil
    } catch {
      return error
    }
  }

  @Test func `a user logs in; a wrong password is told in one sentence that does not repeat it`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      #expect(await check(try RedisConfiguration(url: redis.url(.gateway), password: redis.password(.gateway))) == nil)
      let error = await check(try RedisConfiguration(url: redis.url(.gateway), password: "not-the-secret"))
      #expect(error?.code == .authentication)
      #expect(error?.message.contains("“gateway”") == true)
      #expect(error?.message.contains("not-the-secret") == false)
      let anonymous = await check(try RedisConfiguration(url: "redis://127.0.0.1:\(redis.port)"))
      #expect(anonymous?.code == .authentication)
      #expect(anonymous?.message.contains("wants a password") == true)
    }
  }

  @Test func `a password that changes is read for the next connection, and the open one lives on`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      let password = Mutex(redis.password(.gateway))
      let client = makeClient(try RedisConfiguration(url: redis.url(.gateway), readPassword: { password.withLock(\.self) }))
      try await running(client) {
        _ = try await client.send(RedisCommand("PING"), timeout: .seconds(20))
        _ = try await redis.cli("ACL", "SETUSER", "gateway", ">the-next-one")
        _ = try await redis.cli("ACL", "SETUSER", "gateway", "<\(redis.password(.gateway))")
        _ = try await client.send(RedisCommand("PING"), timeout: .seconds(20))
        _ = try await redis.cli("CLIENT", "KILL", "USER", "gateway")
        let refused = await #expect(throws: RedisError.self) {
          while true { _ = try await client.send(RedisCommand("PING"), timeout: .seconds(3)) }
        }
        #expect(refused?.message.contains("the-next-one") == false)
        password.withLock { $0 = "the-next-one" }
        let deadline = ContinuousClock.now + .seconds(30)
        while (try? await client.send(RedisCommand("PING"), timeout: .seconds(20))) == nil, .now < deadline {}
        _ = try await client.send(RedisCommand("PING"), timeout: .seconds(20))
      }
    }
  }

  @Test func `a call that waits for a connection in vain is told why there is none`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      let client = makeClient(try RedisConfiguration(url: redis.url(.gateway), password: "not-the-secret"))
      try await running(client) {
        let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("PING"), timeout: .seconds(3)) }
        #expect(error?.code == .authentication)
      }
    }
  }

  @Test func `what the access list forbids is told as such`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      let client = makeClient(try RedisConfiguration(url: redis.url(.gateway), password: redis.password(.gateway)))
      try await running(client) {
        let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("FLUSHALL"), timeout: .seconds(20)) }
        #expect(error?.isNotPermitted == true)
      }
    }
  }

  @Test func `TLS works with the right authority, and the certificate is checked against authority and name`() async throws {
    var servers = LocalStackConfiguration([.redis])
    servers.tls = true
    try await LocalStack.run(servers) { stack in
      let redis = try stack.redis
      let tls = try #require(redis.tls)
      let (url, password) = (try #require(redis.tlsURL(.admin)), redis.password(.admin))
      #expect(await check(try RedisConfiguration(url: url, password: password, caFile: tls.caFile)) == nil)
      let byAddress = "rediss://admin@127.0.0.1:\(tls.port)"
      #expect(await check(try RedisConfiguration(url: byAddress, password: password, caFile: tls.caFile)) == nil)
      #expect(await check(try RedisConfiguration(url: url, password: password))?.code == .tls)
      let otherName = "rediss://admin@ip6-localhost.localdomain:\(tls.port)"
      #expect(await check(try RedisConfiguration(url: otherName, password: password, caFile: tls.caFile)) != nil)
    }
  }

  @Test func `TLS towards a plain port, and plain towards a TLS port, end in a sentence`() async throws {
    var servers = LocalStackConfiguration([.redis])
    servers.tls = true
    try await LocalStack.run(servers) { stack in
      let redis = try stack.redis
      let tls = try #require(redis.tls)
      // Redis takes the TLS greeting for the beginning of a command and waits for its end.
      var configuration = try RedisConfiguration(url: "rediss://127.0.0.1:\(redis.port)", caFile: tls.caFile)
      configuration.connectTimeout = .milliseconds(500)
      let encrypted = await check(configuration)
      #expect(encrypted?.code == .unreachable)
      #expect(encrypted?.message.contains("redis://") == true)
      #expect(await check(try RedisConfiguration(url: "redis://127.0.0.1:\(tls.port)")) != nil)
    }
  }

  @Test func `nobody there is told with the address`() async throws {
    let error = await check(try RedisConfiguration(url: "redis://127.0.0.1:1"))
    #expect(error?.code == .unreachable)
    #expect(error?.message.contains("127.0.0.1:1") == true)
  }

  @Test func `a server that accepts and says nothing is left at the deadline`() async throws {
    let silent = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
    var configuration = try RedisConfiguration(url: "redis://127.0.0.1:\(silent.localAddress?.port ?? 0)")
    configuration.connectTimeout = .milliseconds(200)
    #expect(await check(configuration)?.code == .unreachable)
    try await silent.close()
  }
}
