package import Logging

/// The settings that every service has.
package struct RuntimeConfiguration: Sendable {
  package enum LogFormat: String, Sendable, CaseIterable { case json, plain }

  /// The least level that is logged.
  package let logLevel: Logger.Level
  package let logFormat: LogFormat
  /// Where `/metrics`, `/livez` and `/readyz` are served.
  package let adminHost: String
  /// 0 takes any free port.
  package let adminPort: Int
  /// How long a graceful shutdown may take before it is cut.
  package let drainPeriod: Duration

  package static let configFile = ConfigurationVariable(
    "MARTLET_CONFIG_FILE", meaning: "JSON file with an object whose members are variables; the environment wins over it")
  static let logLevelVariable = ConfigurationVariable(
    "MARTLET_LOG_LEVEL", default: "info", meaning: "least level that is logged: trace, debug, info, notice, warning, error or critical")
  static let logFormatVariable = ConfigurationVariable(
    "MARTLET_LOG_FORMAT", default: "json", meaning: "json for one object a line, plain for people; both to standard error")
  static let adminHostVariable = ConfigurationVariable(
    "MARTLET_ADMIN_HOST", default: "127.0.0.1", meaning: "address that serves /metrics, /livez and /readyz")
  static let drainVariable = ConfigurationVariable(
    "MARTLET_DRAIN_SECONDS", default: "20", unit: "seconds",
    meaning: "longest time from SIGTERM until what is still open is cut, 0.1 to 3600"
  )

  static func adminPortVariable(default port: Int) -> ConfigurationVariable {
    ConfigurationVariable(
      "MARTLET_ADMIN_PORT", default: String(port), meaning: "port that serves /metrics, /livez and /readyz; 0 takes any free one")
  }

  static func variables(adminPortDefault: Int) -> [ConfigurationVariable] {
    [configFile, logLevelVariable, logFormatVariable, adminHostVariable, adminPortVariable(default: adminPortDefault), drainVariable]
  }

  init(reading values: ConfigurationValues, adminPortDefault: Int) throws(ConfigurationError) {
    logLevel = try values.choice(Self.logLevelVariable)
    logFormat = try values.choice(Self.logFormatVariable)
    adminHost = try values.string(Self.adminHostVariable)
    adminPort = try values.port(Self.adminPortVariable(default: adminPortDefault))
    drainPeriod = try values.seconds(Self.drainVariable, in: 0.1...3600)
  }
}
