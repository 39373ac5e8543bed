internal import Models
internal import ServiceRuntime
internal import WebSocketTransport

/// The OHT-50 document's endpoint, `/ws/telemetry`.
enum OHT50Dialect {
  static func endpoint(_ limits: OHT50Limits) -> Endpoint {
    Endpoint(
      path: "/ws/telemetry",
      limits: WebSocketLimits(
        messageBytesMax: limits.messageBytesMax, outboundBytesMax: 1024 * 1024, idleTimeout: limits.idleTimeout,
        pingInterval: limits.pingInterval)
    ) { ConsoleSession($0, limits) }
  }
}

/// The OHT-50 document's "Connection Limits", with its values as defaults.
struct OHT50Limits: Sendable {
  /// Consoles that watch one robot, over all replicas.
  var consolesMax = 100
  /// Events of one robot that a console gets in a second; safety events are not counted.
  var eventsPerSecond = 1000
  var messageBytesMax = 16 * 1024
  var idleTimeout = Duration.seconds(300)
  var pingInterval = Duration.seconds(30)

  static let consoles = ConfigurationVariable(
    "MARTLET_OHT50_CONSOLES_MAX", default: "100", meaning: "consoles that may watch one robot, over all replicas")
  static let events = ConfigurationVariable(
    "MARTLET_OHT50_EVENTS_PER_SECOND", default: "1000",
    meaning: "events of one robot that a console gets in a second; past it only the newest of each type, but every safety event")
  static let message = ConfigurationVariable(
    "MARTLET_OHT50_MESSAGE_BYTES", default: "16384", unit: "bytes", meaning: "the longest message of a console")
  static let idle = ConfigurationVariable(
    "MARTLET_OHT50_IDLE_SECONDS", default: "300", unit: "seconds", meaning: "how long a console may send nothing, not even a pong")
  static let ping = ConfigurationVariable(
    "MARTLET_OHT50_PING_SECONDS", default: "30", unit: "seconds", meaning: "how often a console is pinged")

  static let variables = [consoles, events, message, idle, ping]

  init() {}

  init(reading values: ConfigurationValues) throws(ConfigurationError) {
    consolesMax = try values.integer(Self.consoles, in: 1...100_000)
    eventsPerSecond = try values.integer(Self.events, in: 1...1_000_000)
    messageBytesMax = try values.integer(Self.message, in: 1024...1_048_576)
    idleTimeout = try values.seconds(Self.idle, in: 1...86_400)
    pingInterval = try values.seconds(Self.ping, in: 0.5...3600)
  }
}
