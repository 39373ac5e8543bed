import Logging
import MQTTClient
import NIOCore
import NIOPosix
import PostgresClient
import RedisClient
import ServiceRuntime
import Store

/// The servers that a command works with.
enum Connections {
  /// Every variable that some command reads.
  static let variables: [ConfigurationVariable] = [
    .postgresURL, .postgresPassword, .redisURL, .redisPassword, .redisCAFile, .mqttURL, .mqttPassword, .mqttCAFile, .jwtSecret, .jwtIssuer,
    .jwtAudience, .apiURL, .apiToken, .deviceSecret, .webhooksAllowHTTP, .webhooksAllowedNetworks,
  ]

  /// For what the clients have to say while a command runs: warnings and worse, for a person.
  static let logger: Logger = {
    let sink = LogSink(service: "martletctl", format: .plain)
    return Logger(label: "martletctl") { LineLogHandler(label: $0, sink: sink, level: .warning) }
  }()

  static var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.any() }

  /// Runs `body` with the accounts of the database.
  static func withAccounts<Value: Sendable>(
    _ values: ConfigurationValues, _ body: (AccountStore) async throws -> Value
  ) async throws -> Value {
    try await withDatabase(values) { pool in try await body(AccountStore(pool)) }
  }

  static func withDatabase<Value: Sendable>(
    _ values: ConfigurationValues, _ body: (PostgresPool) async throws -> Value
  ) async throws -> Value {
    let pool = PostgresPool(try values.postgres(), limits: .init(connectionsMax: 1), logger: logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.run() }
      defer { group.cancelAll() }
      return try await body(pool)
    }
  }

  /// Runs `body` with a client that is known to be able to log in.
  static func withRedis<Value: Sendable>(
    _ values: ConfigurationValues, _ body: (RedisClient) async throws -> Value
  ) async throws -> Value {
    let configuration = try values.redis()
    try await RedisClient.check(configuration, eventLoop: eventLoop)
    let client = RedisClient(configuration: configuration, eventLoop: eventLoop, logger: logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await client.run() }
      defer { group.cancelAll() }
      return try await body(client)
    }
  }
}

extension ConfigurationValues {
  func postgres() throws(ConfigurationError) -> PostgresConfiguration {
    let password = try optionalSecret(.postgresPassword)
    return try parsed(.postgresURL, wants: "an address like postgres://user@host:5432/database") {
      try PostgresConfiguration(url: $0, password: password, applicationName: "martletctl")
    }
  }

  func redis() throws(ConfigurationError) -> RedisConfiguration {
    let password = try optionalSecret(.redisPassword)
    let caFile = optionalString(.redisCAFile)
    return try parsed(.redisURL, wants: "an address like redis://user@host:6379") {
      try RedisConfiguration(url: $0, password: password, caFile: caFile)
    }
  }

  /// - Parameter clientID: This program's name at the broker.
  func mqtt(clientID: String) throws(ConfigurationError) -> MQTTConfiguration {
    let password = try optionalSecret(.mqttPassword)
    var configuration = try parsed(.mqttURL, wants: "an address like mqtt://user@host:1883") {
      try MQTTConfiguration(url: $0, password: password, clientID: clientID)
    }
    configuration.caFile = optionalString(.mqttCAFile)
    return configuration
  }
}
