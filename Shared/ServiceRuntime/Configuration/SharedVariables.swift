/// The variables that more than one service reads, so that each has one name, one default and one meaning everywhere.
extension ConfigurationVariable {
  package static let redisURL = ConfigurationVariable(
    "MARTLET_REDIS_URL", default: "redis://127.0.0.1:6379",
    meaning: "address of Redis, redis:// or rediss:// (TLS), with the user but not the password")
  package static let redisPassword = ConfigurationVariable(
    "MARTLET_REDIS_PASSWORD", isSecret: true, meaning: "password of the Redis user")
  package static let redisCAFile = ConfigurationVariable(
    "MARTLET_REDIS_CA_FILE", meaning: "PEM file with the authorities that may sign Redis' certificate; those of the system when unset")
  package static let postgresURL = ConfigurationVariable(
    "MARTLET_POSTGRES_URL", default: "postgres://127.0.0.1:5432/martlet",
    meaning: "address of PostgreSQL, with the user but not the password")
  package static let postgresPassword = ConfigurationVariable(
    "MARTLET_POSTGRES_PASSWORD", isSecret: true, meaning: "password of the PostgreSQL user")
  package static let mqttURL = ConfigurationVariable(
    "MARTLET_MQTT_URL", default: "mqtt://127.0.0.1:1883",
    meaning: "address of the MQTT broker, mqtt:// or mqtts:// (TLS), with the user but not the password")
  package static let mqttPassword = ConfigurationVariable(
    "MARTLET_MQTT_PASSWORD", isSecret: true, meaning: "password of the MQTT user")
  package static let mqttCAFile = ConfigurationVariable(
    "MARTLET_MQTT_CA_FILE", meaning: "PEM file with the authorities that may sign the broker's certificate; those of the system when unset")
  package static let mqttClientID = ConfigurationVariable(
    "MARTLET_MQTT_CLIENT_ID", meaning: "client id at the broker, which keeps the session: stable, and different for each replica")
  package static let jwtSecret = ConfigurationVariable(
    "MARTLET_JWT_SECRET", isSecret: true, meaning: "secret that signs the users' HS256 tokens, at least 32 bytes")
  package static let host = ConfigurationVariable(
    "MARTLET_HOST", default: "127.0.0.1", meaning: "address that clients connect to")
  package static let port = ConfigurationVariable(
    "MARTLET_PORT", default: "8080", meaning: "port that clients connect to; 0 takes any free one")

  /// Names that some service knows. One that only another service reads is no mistake in a shared environment.
  static let shared: [ConfigurationVariable] = [
    redisURL, redisPassword, redisCAFile, postgresURL, postgresPassword, mqttURL, mqttPassword, mqttCAFile, mqttClientID, jwtSecret, host,
    port,
  ]
}
