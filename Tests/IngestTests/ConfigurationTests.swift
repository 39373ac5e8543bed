import MQTTClient
import Testing

@testable import Ingest
@testable import ServiceRuntime

@Suite("Configuration of ingest")
struct ConfigurationTests {
  static func read(_ environment: [String: String]) throws -> IngestConfiguration {
    try IngestConfiguration(reading: ConfigurationValues(ConfigurationSources(environment: environment)))
  }

  @Test func `only the client id has no default`() throws {
    let configuration = try Self.read(["MARTLET_MQTT_CLIENT_ID": "ingest-1"])
    #expect(configuration.mqtt.address.description == "127.0.0.1:1883")
    #expect(configuration.limits.batchMessages == 512 && configuration.limits.payloadBytes == 262_144)
    let error = #expect(throws: ConfigurationError.self) { try Self.read([:]) }
    #expect(error?.description.contains("MARTLET_MQTT_CLIENT_ID is not set") == true)
  }

  @Test(arguments: [
    ("MARTLET_MQTT_URL", "http://broker"), ("MARTLET_MQTT_CLIENT_ID", "two words"), ("MARTLET_MQTT_PROTOCOL", "4"),
    ("MARTLET_MQTT_GROUP", "a/b"),
    ("MARTLET_MQTT_SESSION", "two words"),
    ("MARTLET_MQTT_SESSION", "ingest-1"),
    ("MARTLET_MQTT_RECEIVE_MAXIMUM", "0"), ("MARTLET_INGEST_HOLD_SECONDS", "60"), ("MARTLET_INGEST_LOG_PERCENT_MAX", "100"),
  ])
  func `a value that cannot work is refused by the variable's name`(name: String, value: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try Self.read(["MARTLET_MQTT_CLIENT_ID": "ingest-1"].merging([name: value]) { $1 })
    }
    #expect(error?.description.contains(name) == true)
  }

  @Test func `a password in the URL is not repeated by errors`() {
    let url = "mqtt://user:hunter2@broker:99999"
    let error = #expect(throws: ConfigurationError.self) { try Self.read(["MARTLET_MQTT_CLIENT_ID": "i", "MARTLET_MQTT_URL": url]) }
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test func `a password without a user is refused at once`() {
    let error = #expect(throws: ConfigurationError.self) {
      try Self.read(["MARTLET_MQTT_CLIENT_ID": "i", "MARTLET_MQTT_PASSWORD": "hunter2"])
    }
    #expect(error?.description.contains("MARTLET_MQTT_URL") == true && error?.description.contains("USER@") == true)
    #expect(error?.description.contains("hunter2") == false)
  }
}
