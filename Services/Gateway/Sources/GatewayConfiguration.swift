internal import Access
internal import Models
internal import PostgresClient
internal import RedisClient
package import ServiceRuntime
internal import TrustedProxies
internal import WebSocketTransport

/// The gateway's settings, read once at start.
package struct GatewayConfiguration: ServiceConfiguration {
  package static let summary = "Brings live events to apps over WebSocket."
  package static let adminPortDefault = 9080

  static let loops = ConfigurationVariable(
    "MARTLET_LOOPS", default: "0", meaning: "event loops that serve clients, 0 for one per core")
  static let connectionsMax = ConfigurationVariable(
    "MARTLET_CONNECTIONS_MAX", default: "100000", meaning: "connections at the same time; past it a client gets 503")
  static let subscriptionsMax = ConfigurationVariable(
    "MARTLET_SUBSCRIPTIONS_MAX", default: "256", meaning: "appliances that one connection may subscribe to")
  static let queueBytesMax = ConfigurationVariable(
    "MARTLET_CLIENT_QUEUE_BYTES", default: "262144", unit: "bytes",
    meaning: "what may wait for a client that does not keep up; past it the client is closed with 1013")

  static let auth = ConfigurationVariable(
    "MARTLET_AUTH", default: "tokens",
    meaning: "how clients are known: tokens, or off for a device's own network, where everyone may do everything; "
      + "off wants a private address in MARTLET_HOST, and no PostgreSQL")

  package static let variables: [ConfigurationVariable] =
    [
      auth, .host, .port, .redisURL, .redisPassword, .redisCAFile, .postgresURL, .postgresPassword, loops, connectionsMax,
      subscriptionsMax, queueBytesMax, .trustedProxies,
    ] + OHT50Limits.variables + [RoleSettings.file] + TokenSettings.variables

  /// 0 for one per core.
  let loopCount: Int
  let server: WebSocketServerConfiguration
  let subscriptionsMax: Int
  let queueBytesMax: Int
  let oht50: OHT50Limits
  let roles: RoleTable
  let redis: RedisConfiguration
  /// Nil where authentication is off.
  let accounts: Accounts?

  private enum Authentication: String, CaseIterable { case tokens, off }

  /// How users are known.
  struct Accounts: Sendable {
    let postgres: PostgresConfiguration
    let tokens: TokenSettings

    init(reading values: ConfigurationValues) throws(ConfigurationError) {
      let postgresPassword = try values.followedSecret(.postgresPassword)
      postgres = try values.parsed(.postgresURL, wants: "a URL like postgres://user@host:5432/database") {
        try PostgresConfiguration(url: $0, readPassword: postgresPassword?.reader, applicationName: "martlet-gateway")
      }
      tokens = try TokenSettings(reading: values)
    }
  }

  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    loopCount = try values.integer(Self.loops, in: 0...256)
    subscriptionsMax = try values.integer(Self.subscriptionsMax, in: 1...65_536)
    queueBytesMax = try values.integer(Self.queueBytesMax, in: 65_536...67_108_864)
    oht50 = try OHT50Limits(reading: values)
    roles = try RoleSettings.table(reading: values)
    let proxies = values.optionalString(.trustedProxies) ?? ""
    guard let trusted = TrustedProxies(proxies) else {
      throw values.invalid(.trustedProxies, wants: "addresses or networks like 127.0.0.1, 10.0.0.0/8")
    }
    server = WebSocketServerConfiguration(
      host: try values.string(.host), port: try values.port(.port),
      connectionsMax: try values.integer(Self.connectionsMax, in: 1...10_000_000), trustedProxies: trusted)
    let redisPassword = try values.followedSecret(.redisPassword)
    let redisCAFile = values.optionalString(.redisCAFile)
    redis = try values.parsed(.redisURL, wants: "a URL like redis://user@host:6379") {
      try RedisConfiguration(url: $0, readPassword: redisPassword?.reader, caFile: redisCAFile)
    }
    switch try values.choice(Self.auth, Authentication.self) {
    case .tokens: accounts = try Accounts(reading: values)
    case .off:
      guard NetworkList.privateNetworks.contains(server.host) else {
        throw values.invalid(
          .host, wants: "a loopback, private or link-local address (127.0.0.1, 192.168.1.20, fe80::1%eth0), because MARTLET_AUTH is off")
      }
      accounts = nil
    }
  }
}
