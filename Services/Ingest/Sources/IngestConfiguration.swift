package import MQTTClient
package import RedisClient
package import ServiceRuntime

/// What ingest can be told. Read once at start.
package struct IngestConfiguration: ServiceConfiguration {
  package static let summary = "Takes what devices publish on the MQTT broker into the event log, and sends them commands."
  package static let adminPortDefault = 9102

  private static let version = ConfigurationVariable(
    "MARTLET_MQTT_PROTOCOL", default: "5", meaning: "MQTT version, 5 or 3.1.1; with 3.1.1 a kill can store messages twice")
  private static let group = ConfigurationVariable(
    "MARTLET_MQTT_GROUP",
    meaning:
      "has the broker deal messages out to all replicas by a shared subscription of this name; only for one that keeps those over a restart"
  )
  private static let session = ConfigurationVariable(
    "MARTLET_MQTT_SESSION", default: "ingest-devices",
    meaning: "names the session in which the broker keeps devices' messages; one replica at a time has it")
  private static let keepAlive = ConfigurationVariable(
    "MARTLET_MQTT_KEEPALIVE_SECONDS", default: "60", unit: "seconds", meaning: "silence after which the connection is tested")
  private static let receiveMaximum = ConfigurationVariable(
    "MARTLET_MQTT_RECEIVE_MAXIMUM", default: "512", unit: "messages", meaning: "how far the broker may send ahead; also the largest batch")
  private static let sessionExpiry = ConfigurationVariable(
    "MARTLET_MQTT_SESSION_EXPIRY_SECONDS", default: "604800", unit: "seconds",
    meaning: "how long the broker keeps devices' messages while no replica is there")
  private static let hold = ConfigurationVariable(
    "MARTLET_INGEST_HOLD_SECONDS", default: "20", unit: "seconds",
    meaning: "how long a batch may wait for the log before the broker is made to deliver it again; shorter than the keepalive")
  private static let payloadBytes = ConfigurationVariable(
    "MARTLET_INGEST_PAYLOAD_BYTES_MAX", default: "262144", unit: "bytes", meaning: "a larger payload is cut and becomes a dead letter")
  private static let batchBytes = ConfigurationVariable(
    "MARTLET_INGEST_BATCH_BYTES_MAX", default: "4194304", unit: "bytes", meaning: "a batch ends with the message that reaches this")
  private static let logPercent = ConfigurationVariable(
    "MARTLET_INGEST_LOG_PERCENT_MAX", default: "80", unit: "percent",
    meaning: "share of Redis' memory past which messages are left at the broker")

  package static let variables: [ConfigurationVariable] = [
    .redisURL, .redisPassword, .redisCAFile, .mqttURL, .mqttPassword, .mqttCAFile, .mqttClientID, version, session, group, keepAlive,
    receiveMaximum, sessionExpiry, hold, payloadBytes, batchBytes, logPercent,
  ]

  package var redis: RedisConfiguration
  package var mqtt: MQTTConfiguration
  /// Of the shared subscription; nil where one replica at a time hears all devices.
  package var group: String?
  private let session: String
  package var limits: MQTTSubscriber.Limits
  package var logPercentMax: Int

  /// The session that hears devices.
  package var devices: MQTTConfiguration {
    var devices = mqtt
    if group == nil { devices.clientID = session }
    return devices
  }

  /// The session that hears answers to commands. An answer that is older than this settles nothing any more.
  package var answers: MQTTConfiguration {
    var answers = mqtt
    answers.clientID += "-answers"
    answers.sessionExpiry = min(mqtt.sessionExpiry, .seconds(60))
    return answers
  }

  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    let redisPassword = try values.followedSecret(.redisPassword)
    let redisCAFile = values.optionalString(.redisCAFile)
    redis = try values.parsed(.redisURL, wants: "a URL such as redis://ingest@redis:6379") {
      try RedisConfiguration(url: $0, readPassword: redisPassword?.reader, caFile: redisCAFile)
    }
    let password = try values.followedSecret(.mqttPassword)
    let clientID = try values.parsed(.mqttClientID, wants: "1 to 128 printable ASCII characters without spaces") {
      MQTTConfiguration.isClientID($0) ? $0 : nil
    }
    let wanted = "a URL such as mqtt://ingest@broker:1883"
    mqtt = try values.parsed(.mqttURL, wants: wanted) {
      try MQTTConfiguration(url: $0, readPassword: password?.reader, clientID: clientID)
    }
    mqtt.caFile = values.optionalString(.mqttCAFile)
    mqtt.protocolVersion = try values.choice(Self.version)
    mqtt.keepAlive = try values.seconds(Self.keepAlive, in: 5...65_535)
    let receiveMaximum = try values.integer(Self.receiveMaximum, in: 1...65_535)
    mqtt.receiveMaximum = UInt16(receiveMaximum)
    mqtt.sessionExpiry = try values.seconds(Self.sessionExpiry, in: 60...4_294_967_294)
    group = values.optionalString(Self.group)
    if group?.contains(where: { "/+#".contains($0) }) == true { throw values.invalid(Self.group, wants: "a name without /, + and #") }
    session = try values.parsed(
      Self.session, wants: "another name than the replica's, of 1 to 128 printable ASCII characters without spaces"
    ) {
      MQTTConfiguration.isClientID($0) && $0 != clientID ? $0 : nil
    }
    limits = MQTTSubscriber.Limits()
    limits.batchMessages = receiveMaximum
    limits.holdTimeout = try values.seconds(Self.hold, in: 1...3600)
    guard limits.holdTimeout < mqtt.keepAlive else {
      throw values.invalid(Self.hold, wants: "less than \(Self.keepAlive.name) (\(mqtt.keepAlive))")
    }
    limits.payloadBytes = try values.integer(Self.payloadBytes, in: 1024...16_777_216)
    limits.batchBytes = try values.integer(Self.batchBytes, in: 65_536...268_435_456)
    do { try mqtt.validate() } catch { throw values.invalid(.mqttURL, wants: wanted, because: error.message) }
    logPercentMax = try values.integer(Self.logPercent, in: 10...95)
  }
}
