internal import Access
internal import Models
internal import PostgresClient
internal import RedisClient
package import ServiceRuntime
internal import TrustedProxies
internal import WebSocketTransport

/// The broker's settings, read once at start.
package struct SignalingConfiguration: ServiceConfiguration {
  package static let summary = "Brings cameras and viewers together for WebRTC."
  package static let adminPortDefault = 9083

  static let loops = ConfigurationVariable(
    "MARTLET_LOOPS", default: "0", meaning: "event loops that serve clients, 0 for one per core")
  static let connectionsMax = ConfigurationVariable(
    "MARTLET_CONNECTIONS_MAX", default: "100000", meaning: "connections at the same time; past it a client gets 503")
  static let stunURLs = ConfigurationVariable(
    "MARTLET_STUN_URLS", default: "", meaning: "STUN servers, separated by commas, as in stun:stun.example.org:3478")
  static let turnURLs = ConfigurationVariable(
    "MARTLET_TURN_URLS", default: "",
    meaning: "URLs of the TURN server, separated by commas, as in turn:turn.example.org:3478?transport=udp")
  static let turnSecret = ConfigurationVariable(
    "MARTLET_TURN_SECRET", isSecret: true,
    meaning: "the TURN server's static-auth-secret, which signs credentials; of several, a line each, the first")
  static let turnLife = ConfigurationVariable(
    "MARTLET_TURN_SECONDS", default: "3600", unit: "seconds", meaning: "life of TURN credentials, 10 to 86400")
  static let viewersMax = ConfigurationVariable(
    "MARTLET_VIEWERS_PER_DEVICE", default: "10", meaning: "sessions of one camera at the same time")
  static let offerTimeout = ConfigurationVariable(
    "MARTLET_OFFER_SECONDS", default: "30", unit: "seconds", meaning: "how long a viewer may take for its offer")
  static let answerTimeout = ConfigurationVariable(
    "MARTLET_ANSWER_SECONDS", default: "20", unit: "seconds", meaning: "how long a camera may take for its answer")
  static let candidateTimeout = ConfigurationVariable(
    "MARTLET_CANDIDATE_SECONDS", default: "30", unit: "seconds", meaning: "how long after the answer neither end may show an address")
  static let sessionTimeout = ConfigurationVariable(
    "MARTLET_WATCH_SECONDS", default: "14400", unit: "seconds", meaning: "longest session, 10 to 86400")
  static let grace = ConfigurationVariable(
    "MARTLET_GRACE_SECONDS", default: "5", unit: "seconds", meaning: "how long an end that lost its connection may stay away, 0 to 8")

  package static let variables: [ConfigurationVariable] =
    [
      .host, .port, .redisURL, .redisPassword, .redisCAFile, .postgresURL, .postgresPassword, .trustedProxies, loops, connectionsMax,
      stunURLs, turnURLs, turnSecret, turnLife, viewersMax, offerTimeout, answerTimeout, candidateTimeout, sessionTimeout, grace,
    ] + TokenSettings.variables

  /// 0 for one per core.
  let loopCount: Int
  let server: WebSocketServerConfiguration
  let redis: RedisConfiguration
  let postgres: PostgresConfiguration
  let tokens: TokenSettings
  let servers: ICEServers
  let watch: WatchSession.Limits
  let viewersMax: Int

  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    loopCount = try values.integer(Self.loops, in: 0...256)
    viewersMax = try values.integer(Self.viewersMax, in: 1...1000)
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
    let postgresPassword = try values.followedSecret(.postgresPassword)
    postgres = try values.parsed(.postgresURL, wants: "a URL like postgres://user@host:5432/database") {
      try PostgresConfiguration(url: $0, readPassword: postgresPassword?.reader, applicationName: "martlet-signaling")
    }
    tokens = try TokenSettings(reading: values)
    servers = try Self.servers(values)
    var watch = WatchSession.Limits()
    watch.offerTimeout = try values.seconds(Self.offerTimeout, in: 1...600)
    watch.answerTimeout = try values.seconds(Self.answerTimeout, in: 1...600)
    watch.candidateTimeout = try values.seconds(Self.candidateTimeout, in: 1...600)
    watch.sessionTimeout = try values.seconds(Self.sessionTimeout, in: 10...86_400)
    watch.grace = try values.seconds(Self.grace, in: 0...8)
    watch.renewalPeriod = servers.renewalPeriod
    self.watch = watch
  }

  private static func servers(_ values: ConfigurationValues) throws(ConfigurationError) -> ICEServers {
    let stun = try urls(stunURLs, of: ["stun:", "stuns:"], values)
    let turn = try urls(turnURLs, of: ["turn:", "turns:"], values)
    let life = try values.seconds(turnLife, in: 10...86_400)
    let secret = try values.followedSecret(turnSecret)
    if secret == nil, !turn.isEmpty { throw values.missing(turnSecret) }
    return ICEServers(stunURLs: stun, turnURLs: turn, readSecret: { secret?.current() ?? "" }, credentialLife: life)
  }

  private static func urls(
    _ variable: ConfigurationVariable, of schemes: [String], _ values: ConfigurationValues
  ) throws(ConfigurationError) -> [String] {
    let urls = (values.optionalString(variable) ?? "").split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
    guard urls.allSatisfy({ url in schemes.contains { url.hasPrefix($0) && url.count > $0.count } }), urls.count <= 16 else {
      throw values.invalid(variable, wants: "up to 16 URLs that begin with \(schemes.joined(separator: " or "))")
    }
    return urls
  }
}
