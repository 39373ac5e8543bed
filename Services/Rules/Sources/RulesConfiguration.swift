package import LogConsumer
package import PostgresClient
package import RedisClient
package import ServiceRuntime
package import Webhooks

/// What the rules can be told. Read once at start.
package struct RulesConfiguration: ServiceConfiguration {
  package static let summary = "Evaluates rules on every event, keeps alarms, and tells apps and appliances of them."
  package static let adminPortDefault = 9104

  private static let workers = ConfigurationVariable(
    "MARTLET_RULES_WORKERS", default: "2", unit: "sessions",
    meaning: "sessions with PostgreSQL, which share the shards with those of all other replicas")
  private static let batchRecords = ConfigurationVariable(
    "MARTLET_RULES_BATCH_RECORDS_MAX", default: "2000", unit: "records", meaning: "the most that one transaction lets take effect")
  private static let series = ConfigurationVariable(
    "MARTLET_RULES_SERIES_MAX", default: "65536", unit: "series",
    meaning: "of one rule and one metric of one appliance each, that are remembered for a shard; about 300 bytes each")
  private static let retention = ConfigurationVariable(
    "MARTLET_RULES_RETENTION_DAYS", default: "90", unit: "days", meaning: "how long firings, and alarms that are over, are kept")
  private static let commitTimeout = ConfigurationVariable(
    "MARTLET_RULES_COMMIT_SECONDS_MAX", default: "30", unit: "seconds",
    meaning: "how long PostgreSQL may take for one transaction before it is tried again on a new session")

  package static let variables: [ConfigurationVariable] =
    [
      .redisURL, .redisPassword, .redisCAFile, .postgresURL, .postgresPassword, workers, batchRecords, series, retention,
      commitTimeout,
    ] + WebhookConfiguration.variables

  package var redis: RedisConfiguration
  package var postgres: PostgresConfiguration
  package var limits: ConsumerLimits
  /// For each shard.
  package var seriesMax: Int
  /// Of firings, and of alarms that are over.
  package var retention: Duration
  package var webhooks: WebhookConfiguration

  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    let redisPassword = try values.followedSecret(.redisPassword)
    let redisCAFile = values.optionalString(.redisCAFile)
    redis = try values.parsed(.redisURL, wants: "a URL such as redis://rules@redis:6379") {
      try RedisConfiguration(url: $0, readPassword: redisPassword?.reader, caFile: redisCAFile)
    }
    let password = try values.followedSecret(.postgresPassword)
    let commitTimeout = try values.seconds(Self.commitTimeout, in: 1...3600)
    postgres = try values.parsed(.postgresURL, wants: "a URL such as postgres://martlet_rules@postgres:5432/martlet") {
      try PostgresConfiguration(url: $0, readPassword: password?.reader, applicationName: "martlet-rules", callTimeout: commitTimeout)
    }
    limits = ConsumerLimits(consumer: "rules")
    limits.workers = try values.integer(Self.workers, in: 1...16)
    limits.batchRecordsMax = try values.integer(Self.batchRecords, in: 1...100_000)
    webhooks = try WebhookConfiguration(reading: values)
    seriesMax = try values.integer(Self.series, in: 1...10_000_000)
    retention = .seconds(86_400 * (try values.integer(Self.retention, in: 1...3650)))
  }
}
