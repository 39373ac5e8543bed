/// How to reach the broker and as whom.
package struct MQTTConfiguration: Sendable {
  package enum ProtocolVersion: String, Sendable, CaseIterable {
    case v311 = "3.1.1"
    case v5 = "5"
  }

  package var address: MQTTAddress
  /// Kept out of every description, log and error. Asked, on the client's own thread, for each new connection, since it may change.
  package var readPassword: (@Sendable () -> String)?
  /// PEM file of the authorities that may have signed the broker's certificate; without it the system's own are trusted. TLS only.
  package var caFile: String?
  /// Stable for one replica and different between replicas: the broker keeps the session, and what is queued in it, under this name.
  package var clientID: String
  package var protocolVersion = ProtocolVersion.v5
  /// Silence after which either side asks whether the other is there. 5 s to 18 h.
  package var keepAlive = Duration.seconds(60)
  /// How many messages the broker may send ahead of their acknowledgement (MQTT 5; with 3.1.1 the broker's own setting rules).
  package var receiveMaximum: UInt16 = 512
  /// How long the broker keeps a subscriber's session, and queues for it, while it is away (MQTT 5).
  package var sessionExpiry = Duration.seconds(7 * 86_400)
  package var will: MQTTWill?
  /// From an open TCP connection to CONNACK, TLS included.
  package var handshakeTimeout = Duration.seconds(10)
  /// How long the first connection may take before `run()` gives up and throws; from then on a lost connection is retried for ever.
  package var startTimeout = Duration.seconds(30)

  /// - Parameters:
  ///   - password: stands in for one in the URL.
  ///   - readPassword: stands for both where the password may change.
  /// - Throws: `configuration` with a sentence naming what is wrong with the URL or the client id.
  package init(
    url: String, password: String? = nil, readPassword: (@Sendable () -> String)? = nil, clientID: String
  ) throws(MQTTError) {
    let (address, passwordInURL) = try MQTTAddress.parse(url)
    guard Self.isClientID(clientID) else {
      throw MQTTError(.configuration, "The MQTT client id must be 1 to 128 printable ASCII characters without spaces.")
    }
    self.address = address
    self.readPassword = readPassword ?? (password ?? passwordInURL).map { text -> @Sendable () -> String in { text } }
    self.clientID = clientID
  }

  package static func isClientID(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }

  /// - Throws: `configuration` for settings that do not go together.
  package func validate() throws(MQTTError) {
    guard (5...65_535).contains(keepAlive.components.seconds) else {
      throw MQTTError(.configuration, "The MQTT keepalive must be 5 to 65535 seconds, not \(keepAlive).")
    }
    guard receiveMaximum > 0 else { throw MQTTError(.configuration, "The MQTT Receive Maximum must be 1 to 65535, not 0.") }
    guard (0...Int64(UInt32.max)).contains(sessionExpiry.components.seconds) else {
      throw MQTTError(.configuration, "The MQTT session expiry must be 0 to \(UInt32.max) seconds, not \(sessionExpiry).")
    }
    guard readPassword == nil || address.userName != nil else {
      throw MQTTError(.configuration, "An MQTT password is set but the URL names no user: write \(address.scheme)://USER@\(address).")
    }
  }
}

/// A message that the broker publishes when this client vanishes without saying goodbye (MQTT 3.1.2.5).
package struct MQTTWill: Sendable {
  package var topic: String
  package var payload: [UInt8]
  package var qos: MQTTQoS
  package var isRetained: Bool

  package init(topic: String, payload: [UInt8], qos: MQTTQoS = .atLeastOnce, isRetained: Bool = false) {
    self.topic = topic
    self.payload = payload
    self.qos = qos
    self.isRetained = isRetained
  }
}

/// The delivery promises in use here; exactly-once (2) is not, because the event log refuses duplicates itself.
package enum MQTTQoS: UInt8, Sendable {
  case atMostOnce = 0
  case atLeastOnce = 1
}
