/// The variables that more than one service reads, so that each has one name, one default and one meaning everywhere.
extension ConfigurationVariable {
  package static let redisURL = ConfigurationVariable(
    "MARTLET_REDIS_URL", default: "redis://127.0.0.1:6379",
    meaning:
      "address of Redis, redis:// or rediss:// (TLS), with the user but not the password; several host:port, separated by commas, are nodes of a cluster"
  )
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
    "MARTLET_MQTT_CLIENT_ID", meaning: "client id at the broker, which keeps sessions under it: stable, and different for each replica")
  package static let jwtSecret = ConfigurationVariable(
    "MARTLET_JWT_SECRET", isSecret: true,
    meaning: "secret that signs HS256 tokens, at least 32 bytes; up to 4, a line each: the first signs, all verify; or a key set is given")
  package static let jwksFile = ConfigurationVariable(
    "MARTLET_JWKS_FILE",
    meaning: "JSON Web Key Set of an issuer whose RS256, ES256 and EdDSA tokens are taken; read again when it changes")
  package static let jwksURL = ConfigurationVariable(
    "MARTLET_JWKS_URL", meaning: "the same at an address, https:// (http:// only for this machine); read again every 5 minutes")
  package static let jwtIssuer = ConfigurationVariable("MARTLET_JWT_ISSUER", meaning: "the iss that every token must have; any when unset")
  package static let jwtAudience = ConfigurationVariable(
    "MARTLET_JWT_AUDIENCE", meaning: "what the aud of every token must name; anything when unset")
  package static let jwtRoleClaim = ConfigurationVariable(
    "MARTLET_JWT_ROLE_CLAIM",
    meaning: "claim whose viewer, operator or admin counts instead of the account's role, in tokens signed by the key set; none when unset")
  package static let jwtLeeway = ConfigurationVariable(
    "MARTLET_JWT_LEEWAY_SECONDS", default: "5", unit: "seconds", meaning: "by how much the issuer's clock may differ, 0 to 300")
  package static let host = ConfigurationVariable(
    "MARTLET_HOST", default: "127.0.0.1", meaning: "address that clients connect to")
  package static let port = ConfigurationVariable(
    "MARTLET_PORT", default: "8080", meaning: "port that clients connect to; 0 takes any free one")

  package static let trustedProxies = ConfigurationVariable(
    "MARTLET_TRUSTED_PROXIES", default: "",
    meaning: "addresses and networks, separated by commas, whose X-Forwarded-For is believed")

  package static let webhooksAllowHTTP = ConfigurationVariable(
    "MARTLET_WEBHOOKS_ALLOW_HTTP", default: "false",
    meaning: "whether webhooks may go to http:// addresses, which anybody on the way can read")
  package static let webhooksAllowedNetworks = ConfigurationVariable(
    "MARTLET_WEBHOOKS_ALLOWED_NETWORKS", default: "",
    meaning: "addresses and networks, separated by commas, that webhooks may go to though they are private; none when empty")

  /// Names that some service knows. One that only another service reads is no mistake in a shared environment.
  static let shared: [ConfigurationVariable] = [
    redisURL, redisPassword, redisCAFile, postgresURL, postgresPassword, mqttURL, mqttPassword, mqttCAFile, mqttClientID, jwtSecret,
    jwksFile,
    jwksURL, jwtIssuer, jwtAudience, jwtRoleClaim, jwtLeeway, host, port, trustedProxies,
    webhooksAllowHTTP, webhooksAllowedNetworks,
  ]
}
