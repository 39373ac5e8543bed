package import LogConsumer
package import PostgresClient
package import RedisClient
package import ServiceRuntime

/// What the persister can be told. Read once at start.
package struct PersisterConfiguration: ServiceConfiguration {
  package static let summary = "Moves the event log into PostgreSQL, each event exactly once."
  package static let adminPortDefault = 9103

  private static let workers = ConfigurationVariable(
    "MARTLET_PERSISTER_WORKERS", default: "2", unit: "sessions",
    meaning: "sessions with PostgreSQL, which share the shards with those of all other replicas")
  private static let batchRecords = ConfigurationVariable(
    "MARTLET_PERSISTER_BATCH_RECORDS_MAX", default: "2000", unit: "records", meaning: "the most that one transaction stores")
  private static let batchBytes = ConfigurationVariable(
    "MARTLET_PERSISTER_BATCH_BYTES_MAX", default: "16777216", unit: "bytes", meaning: "about how large a batch may be in memory")
  private static let daysAhead = ConfigurationVariable(
    "MARTLET_PERSISTER_DAYS_AHEAD", default: "7", unit: "days", meaning: "how many days' partitions are made ahead")
  private static let commitTimeout = ConfigurationVariable(
    "MARTLET_PERSISTER_COMMIT_SECONDS_MAX", default: "30", unit: "seconds",
    meaning: "how long PostgreSQL may take for one transaction before it is tried again on a new session")

  private static let auditDays = ConfigurationVariable(
    "MARTLET_AUDIT_RETENTION_DAYS", default: "365", unit: "days", meaning: "how long the audit log is kept, 30 at least")

  package static let variables: [ConfigurationVariable] = [
    .redisURL, .redisPassword, .redisCAFile, .postgresURL, .postgresPassword, workers, batchRecords, batchBytes, daysAhead, commitTimeout,
    auditDays,
  ]

  package var redis: RedisConfiguration
  package var postgres: PostgresConfiguration
  package var limits: ConsumerLimits
  /// Days whose partitions are made ahead.
  package var daysAhead: Int
  /// How long the audit log is kept.
  package var auditDays: Int

  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    let redisPassword = try values.followedSecret(.redisPassword)
    let redisCAFile = values.optionalString(.redisCAFile)
    redis = try values.parsed(.redisURL, wants: "a URL such as redis://persister@redis:6379") {
      try RedisConfiguration(url: $0, readPassword: redisPassword?.reader, caFile: redisCAFile)
    }
    let password = try values.followedSecret(.postgresPassword)
    let commitTimeout = try values.seconds(Self.commitTimeout, in: 1...3600)
    postgres = try values.parsed(.postgresURL, wants: "a URL such as postgres://martlet_persister@postgres:5432/martlet") {
      try PostgresConfiguration(url: $0, readPassword: password?.reader, applicationName: "martlet-persister", callTimeout: commitTimeout)
    }
    limits = ConsumerLimits(consumer: "persister")
    limits.trimInterval = .seconds(1)
    limits.workers = try values.integer(Self.workers, in: 1...16)
    limits.batchRecordsMax = try values.integer(Self.batchRecords, in: 1...100_000)
    limits.batchBytesMax = try values.integer(Self.batchBytes, in: 65_536...1_073_741_824)
    auditDays = try values.integer(Self.auditDays, in: 30...36_500)
    daysAhead = try values.integer(Self.daysAhead, in: 1...90)
  }
}
