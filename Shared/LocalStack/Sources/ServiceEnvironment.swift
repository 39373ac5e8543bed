/// The variables that tell a service where its servers are and which files hold its credentials.
struct ServiceEnvironment: Sendable {
  private let redis: (url: @Sendable (RedisServer.User) -> String, passwordFile: @Sendable (RedisServer.User) -> String)
  private let postgres: PostgresServer
  private let mosquitto: MosquittoServer
  private let tokenSecretFile: String

  init(_ folder: StackFolder, _ servers: Servers) throws {
    guard let postgres = servers.postgres, let mosquitto = servers.mosquitto, servers.redis != nil || servers.redisCluster != nil else {
      throw LocalStackError(.unusable, part: "services", "They need postgres, redis and mosquitto; add them to the stack.")
    }
    (self.postgres, self.mosquitto) = (postgres, mosquitto)
    redis = (
      { servers.redis?.url($0) ?? servers.redisCluster?.url($0) ?? "" },
      { servers.redis?.passwordFile($0) ?? servers.redisCluster?.passwordFile($0) ?? "" }
    )
    _ = try folder.secret("jwt")
    tokenSecretFile = folder.secretFile("jwt")
  }

  /// For the service of that name; anything else, such as `martletctl`, acts as the owner of everything.
  func values(for executable: String) -> [String: String] {
    let redisUser = RedisServer.User(rawValue: executable) ?? .admin
    let role = PostgresServer.Role(rawValue: "martlet_\(executable)") ?? .owner
    let mqttUser: MosquittoServer.User = executable == "ingest" ? .ingest : .simulator
    return [
      "MARTLET_REDIS_URL": redis.url(redisUser), "MARTLET_REDIS_PASSWORD_FILE": redis.passwordFile(redisUser),
      "MARTLET_POSTGRES_URL": postgres.url(role), "MARTLET_POSTGRES_PASSWORD_FILE": postgres.passwordFile(role),
      "MARTLET_MQTT_URL": mosquitto.url(mqttUser), "MARTLET_MQTT_PASSWORD_FILE": mosquitto.passwordFile(mqttUser),
      "MARTLET_JWT_SECRET_FILE": tokenSecretFile,
    ]
  }
}
