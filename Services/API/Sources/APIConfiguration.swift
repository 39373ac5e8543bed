import Access
import FoundationEssentials
import Models
import OutboundGate
import PostgresClient
import RedisClient
package import ServiceRuntime
import TrustedProxies

/// The API's settings, read once at start.
package struct APIConfiguration: ServiceConfiguration {
  package static let summary = "Serves accounts, appliances, their history, and commands to them over HTTP."
  package static let adminPortDefault = 9104

  static let port = ConfigurationVariable(
    "MARTLET_PORT", default: "8090", meaning: "port that clients connect to; 0 takes any free one")
  static let connectionsMax = ConfigurationVariable(
    "MARTLET_CONNECTIONS_MAX", default: "4096", meaning: "connections at the same time; past it new ones wait to be accepted")
  static let origins = ConfigurationVariable(
    "MARTLET_CORS_ORIGINS", default: "",
    meaning: "origins, separated by commas, whose pages may use the API from a browser; none when empty")
  static let loginsPerAddress = ConfigurationVariable(
    "MARTLET_LOGINS_PER_ADDRESS", default: "20", unit: "per minute", meaning: "logins of one network address, and as many at once")
  static let loginsPerAccount = ConfigurationVariable(
    "MARTLET_LOGINS_PER_ACCOUNT", default: "10", unit: "per minute", meaning: "wrong passwords for one account, and as many at once")
  static let passwordThreads = ConfigurationVariable(
    "MARTLET_PASSWORD_THREADS", default: "0", meaning: "passwords that are checked at a time, 0 for half of the cores")
  static let accessLifetime = ConfigurationVariable(
    "MARTLET_TOKEN_SECONDS", default: "900", unit: "seconds", meaning: "how long an access token is valid")
  static let refreshLifetime = ConfigurationVariable(
    "MARTLET_REFRESH_TOKEN_SECONDS", default: "2592000", unit: "seconds", meaning: "how long a refresh token is valid")
  static let exportsMax = ConfigurationVariable(
    "MARTLET_EXPORTS_MAX", default: "8", meaning: "CSV answers that are written at a time; past it 429")

  package static let variables: [ConfigurationVariable] =
    [
      .host, port, .redisURL, .redisPassword, .redisCAFile, .postgresURL, .postgresPassword, .trustedProxies, connectionsMax, origins,
      loginsPerAddress, loginsPerAccount, passwordThreads, accessLifetime, refreshLifetime, exportsMax,
    ] + [RoleSettings.file] + TokenSettings.variables + OutboundGate.variables

  let host: String
  let port: Int
  let connectionsMax: Int
  let origins: Set<String>
  let trustedProxies: TrustedProxies
  let logins: LoginGuard.Limits
  let passwordThreads: Int
  let lifetimes: TokenDesk.Lifetimes
  let exportsMax: Int
  let roles: RoleTable
  /// Where webhooks may go.
  let outbound: OutboundGate
  let redis: RedisConfiguration
  let postgres: PostgresConfiguration
  let tokens: TokenSettings
  /// Sign our own tokens.
  let tokenSecrets: FollowedSecret<TokenSecrets>

  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    host = try values.string(.host)
    port = try values.port(Self.port)
    connectionsMax = try values.integer(Self.connectionsMax, in: 1...1_000_000)
    origins = try Self.origins(values)
    guard let trusted = TrustedProxies(values.optionalString(.trustedProxies) ?? "") else {
      throw values.invalid(.trustedProxies, wants: "addresses or networks like 127.0.0.1, 10.0.0.0/8")
    }
    trustedProxies = trusted
    logins = LoginGuard.Limits(
      perAddress_per_minute: try values.integer(Self.loginsPerAddress, in: 1...1_000_000),
      perAccount_per_minute: try values.integer(Self.loginsPerAccount, in: 1...1_000_000))
    let threads = try values.integer(Self.passwordThreads, in: 0...64)
    passwordThreads = threads > 0 ? threads : max(1, ProcessInfo.processInfo.activeProcessorCount / 2)
    lifetimes = TokenDesk.Lifetimes(
      access: try values.seconds(Self.accessLifetime, in: 10...86_400),
      refresh: try values.seconds(Self.refreshLifetime, in: 60...31_622_400))
    exportsMax = try values.integer(Self.exportsMax, in: 1...1024)
    roles = try RoleSettings.table(reading: values)
    outbound = try OutboundGate(reading: values)
    let redisPassword = try values.followedSecret(.redisPassword)
    let redisCAFile = values.optionalString(.redisCAFile)
    redis = try values.parsed(.redisURL, wants: "a URL like redis://user@host:6379") {
      try RedisConfiguration(url: $0, readPassword: redisPassword?.reader, caFile: redisCAFile)
    }
    let postgresPassword = try values.followedSecret(.postgresPassword)
    postgres = try values.parsed(.postgresURL, wants: "a URL like postgres://user@host:5432/database") {
      try PostgresConfiguration(url: $0, readPassword: postgresPassword?.reader, applicationName: "martlet-api")
    }
    tokens = try TokenSettings(reading: values)
    guard let secrets = tokens.secrets else { throw values.missing(.jwtSecret) }
    tokenSecrets = secrets
  }

  /// An origin is a scheme and a host, with a port where it is not the scheme's own, and nothing behind them.
  private static func origins(_ values: ConfigurationValues) throws(ConfigurationError) -> Set<String> {
    let list = (values.optionalString(origins) ?? "").split(separator: ",").map { $0.split(separator: " ").joined() }
    for origin in list {
      let parts = origin.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 3, ["http:", "https:"].contains(parts[0]), parts[1].isEmpty, !parts[2].isEmpty, !origin.contains("*") else {
        throw values.invalid(origins, wants: "origins like https://app.example.org, separated by commas")
      }
    }
    return Set(list)
  }
}
