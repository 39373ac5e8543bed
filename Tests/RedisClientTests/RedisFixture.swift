import LocalStack
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

@testable import RedisClient

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension LocalStack {
  /// For the test's own Redis, as its administrator; patient, because the machine may be busy.
  func redisConfiguration(callTimeout: Duration = .seconds(20)) throws -> RedisConfiguration {
    let redis = try redis
    var configuration = try RedisConfiguration(url: redis.url(.admin), password: redis.password(.admin))
    configuration.callTimeout = callTimeout
    return configuration
  }
}

func makeClient(_ configuration: RedisConfiguration) -> RedisClient {
  RedisClient(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet)
}

/// Runs a service beside `body` and stops it after it.
nonisolated(nonsending) func running<Success: Sendable>(
  _ service: some Service, body: nonisolated(nonsending) () async throws -> Success
) async throws -> Success {
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await service.run() }
    let result = try await body()
    group.cancelAll()
    return result
  }
}

/// A Redis of the test's own and a client of it.
nonisolated(nonsending) func withRedis<Success: Sendable>(
  callTimeout: Duration = .seconds(20), _ body: nonisolated(nonsending) (LocalStack, RedisClient) async throws -> Success
) async throws -> Success {
  try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
    let redis = makeClient(try stack.redisConfiguration(callTimeout: callTimeout))
    return try await running(redis) { try await body(stack, redis) }
  }
}
