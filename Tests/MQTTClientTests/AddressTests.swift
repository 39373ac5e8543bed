import Testing

@testable import MQTTClient

@Suite("Broker address")
struct AddressTests {
  @Test func `host, port and user are read, with their defaults`() throws {
    let (plain, none) = try MQTTAddress.parse("mqtt://broker.local")
    #expect(plain == MQTTAddress(host: "broker.local", port: 1883, usesTLS: false, userName: nil))
    #expect(none == nil)
    let (full, password) = try MQTTAddress.parse("mqtts://ingest:p%40ss:w@[::1]:18883/")
    #expect(full == MQTTAddress(host: "::1", port: 18883, usesTLS: true, userName: "ingest"))
    #expect(password == "p@ss:w")
    #expect(full.description == "[::1]:18883")
  }

  @Test(arguments: [
    "", "http://x", "mqtt://", "mqtt://:1883", "mqtt://h:0", "mqtt://h:70000", "mqtt://h:x", "mqtt://h/p", "mqtt://u%2@h", "mqtt://[::1]x",
  ])
  func `a malformed URL is refused`(url: String) {
    #expect(throws: MQTTError.self) { try MQTTAddress.parse(url) }
  }

  @Test func `no error text repeats the password`() {
    let error = #expect(throws: MQTTError.self) { try MQTTAddress.parse("mqtt://user:hunter2@host:99999") }
    #expect(error?.description.contains("hunter2") == false)
  }
}
