import LocalStack
import Testing

@testable import RedisClient

@Suite("Redis client against a real server", .timeLimit(.minutes(2)))
struct RedisClientTests {
  @Test func `replies come in the order of the commands`() async throws {
    try await withRedis { _, redis in
      let replies = try await redis.pipeline((0..<1000).map { RedisCommand("ECHO", $0) }).map { try $0.get().text }
      #expect(replies == (0..<1000).map { "\($0)" })
    }
  }

  @Test func `thousands of concurrent calls each get their own reply`() async throws {
    let wrong = try await withRedis { _, redis in
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<5000 {
          group.addTask { try await redis.send(RedisCommand("ECHO", "call \(number)")).text == "call \(number)" }
        }
        return try await group.reduce(into: 0) { $0 += $1 ? 0 : 1 }
      }
    }
    #expect(wrong == 0)
  }

  @Test func `an error reply is thrown with its prefix, and inside a pipeline fails its own command only`() async throws {
    try await withRedis { _, redis in
      _ = try await redis.send(RedisCommand("SET", "key", "text"))
      let error = await #expect(throws: RedisError.self) { try await redis.send(RedisCommand("LPUSH", "key", "x")) }
      #expect(error?.code == .server("WRONGTYPE"))
      let outcomes = try await redis.pipeline([RedisCommand("LPUSH", "key", "x"), RedisCommand("GET", "key")])
      #expect(throws: RedisError.self) { try outcomes[0].get() }
      #expect(try outcomes[1].get() == .string(Array("text".utf8)))
    }
  }

  @Test func `a large binary value goes through unchanged`() async throws {
    let value = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try await withRedis { _, redis in
      _ = try await redis.send(RedisCommand("SET", "large", value))
      let returned = try await redis.send(RedisCommand("GET", "large")).bytes
      #expect(returned == value)
    }
  }

  @Test func `a call past its deadline fails, and the replies of later calls are not mixed up`() async throws {
    try await withRedis { _, redis in
      _ = try await redis.send(RedisCommand("PING"))
      let error = await #expect(throws: RedisError.self) {
        try await redis.send(RedisCommand("BLPOP", "nothing", "1"), timeout: .milliseconds(50))
      }
      #expect(error?.code == .timeout)
      let later = try await redis.send(RedisCommand("ECHO", "later")).text
      #expect(later == "later")
    }
  }

  @Test func `a cancelled call ends at once and leaves the connection in order`() async throws {
    try await withRedis { _, redis in
      _ = try await redis.send(RedisCommand("PING"))
      await withThrowingTaskGroup(of: RESPValue.self) { group in
        group.addTask { try await redis.send(RedisCommand("BLPOP", "nothing", "1")) }
        group.cancelAll()
        await #expect(throws: CancellationError.self) { try await group.next() }
      }
      let later = try await redis.send(RedisCommand("ECHO", "later")).text
      #expect(later == "later")
    }
  }

  @Test func `one call too many is refused and said so`() async throws {
    var configuration = try RedisConfiguration(url: "redis://127.0.0.1:1")
    configuration.limits.waitingCalls = 2
    let redis = makeClient(configuration)
    let codes = await withTaskGroup(of: RedisError.Code?.self) { group in
      for _ in 0..<3 {
        group.addTask {
          do { _ = try await redis.send(RedisCommand("PING"), timeout: .milliseconds(300)) } catch { return (error as? RedisError)?.code }
          return nil
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(codes == [.overloaded, .unreachable, .unreachable])
  }

  @Test func `a server that is killed fails the calls under way; calls work again when it is back`() async throws {
    try await withRedis { stack, redis in
      let port = try stack.redis.port
      let blocked = try await withThrowingTaskGroup(of: RedisError?.self) { group in
        group.addTask {
          do { _ = try await redis.send(RedisCommand("BLPOP", "nothing", "0"), timeout: .seconds(60)) } catch let error as RedisError {
            return error
          }
          return nil
        }
        // Another connection sees it block: only then is the call under way.
        while try await !stack.redis.cli("INFO", "clients").contains("blocked_clients:1") { try Task.checkCancellation() }
        try await stack.kill("redis")
        return try await group.next() ?? nil
      }
      #expect(blocked?.code == .closed)
      let unreachable = await #expect(throws: RedisError.self) { try await redis.send(RedisCommand("PING"), timeout: .milliseconds(300)) }
      #expect(unreachable?.code == .unreachable)
      #expect(unreachable?.message.contains("127.0.0.1:\(port)") == true)
      try await stack.start("redis")
      let pong = try await redis.send(RedisCommand("PING"))
      #expect(pong == .status("PONG"))
    }
  }

  @Test func `a server that has gone silent is left, and a new connection serves`() async throws {
    try await withRedis(callTimeout: .milliseconds(200)) { stack, redis in
      let first = try await redis.send(RedisCommand("CLIENT", "ID"), timeout: .seconds(20)).integer
      try await stack.pause("redis")
      // The kernel still accepts connections: the first call runs out of time, and once its connection is given up, the next ones wait for another.
      var codes: [RedisError.Code?] = []
      repeat {
        codes.append(await #expect(throws: RedisError.self) { try await redis.send(RedisCommand("PING")) }?.code)
      } while codes.last != .unreachable
      #expect(codes.first == .timeout)
      try await stack.resume("redis")
      let second = try await redis.send(RedisCommand("CLIENT", "ID"), timeout: .seconds(20)).integer
      #expect(first != second)
    }
  }

  @Test func `a client that has shut down refuses calls`() async throws {
    let redis = try await withRedis { _, redis in redis }
    let error = await #expect(throws: RedisError.self) { try await redis.send(RedisCommand("PING")) }
    #expect(error?.code == .closed)
  }

  @Test func `a function is a command like any other`() async throws {
    try await withRedis { _, redis in
      let code = "#!lua name=greeting\nredis.register_function('greet', function(keys, args) return 'hello ' .. args[1] end)"
      let library = try await redis.send(RedisCommand("FUNCTION", "LOAD", code)).text
      #expect(library == "greeting")
      let greeting = try await redis.send(RedisCommand("FCALL", "greet", 0, "you")).text
      #expect(greeting == "hello you")
    }
  }
}
