import LocalStack
import Models
import RedisClient

/// What the log stands on: one server, or a cluster of three masters with a replica each.
enum RedisKind: CaseIterable, Sendable {
  case server, cluster

  var stack: LocalStackConfiguration {
    var configuration = LocalStackConfiguration([.redis])
    configuration.redisMasters = self == .cluster ? 3 : 0
    return configuration
  }
}

extension LocalStack {
  /// Patient, because a machine that runs every test at once may be slow.
  func redisConfiguration(_ user: RedisServer.User = .admin, callTimeout: Duration = .seconds(30)) throws -> RedisConfiguration {
    var redis: RedisConfiguration
    if configuration.redisMasters > 0 {
      redis = try RedisConfiguration(url: redisCluster.url(user), password: redisCluster.password(user))
    } else {
      redis = try RedisConfiguration(url: self.redis.url(user), password: self.redis.password(user))
    }
    redis.callTimeout = callTimeout
    return redis
  }

  /// One command with `redis-cli`, at the node that has its key.
  func cli(_ command: String, _ key: String, _ arguments: String...) async throws -> String {
    let node = try configuration.redisMasters > 0 ? redisCluster.nodes[0] : redis
    return try await node.run(["-c", command, key] + arguments)
  }

  /// Every server forgets everything but its functions.
  func flush() async throws {
    guard configuration.redisMasters > 0 else {
      _ = try await redis.cli("FLUSHALL")
      return
    }
    for member in try await redisCluster.members() where member.isMaster { _ = try await redisCluster.node(member.name).cli("FLUSHALL") }
  }
}
