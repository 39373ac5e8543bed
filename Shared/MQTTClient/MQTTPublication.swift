/// A message to publish.
package struct MQTTPublication: Sendable, Hashable {
  package var topic: String
  package var payload: [UInt8]
  package var qos: MQTTQoS
  /// Whether the broker keeps it for later subscribers.
  package var isRetained: Bool
  /// The broker delivers it to nobody once this has passed (MQTT 5); at least a second.
  package var expiry: Duration?

  package init(topic: String, payload: [UInt8], qos: MQTTQoS = .atLeastOnce, isRetained: Bool = false, expiry: Duration? = nil) {
    self.topic = topic
    self.payload = payload
    self.qos = qos
    self.isRetained = isRetained
    self.expiry = expiry
  }

  static let payloadBytesMax = 268_435_455

  func validated(for version: MQTTConfiguration.ProtocolVersion) throws(MQTTError) {
    guard MosquittoConnection.isTopic(topic) else {
      throw MQTTError(.invalidMessage, "'\(topic.prefix(80))' is no MQTT topic to publish to: it must not be empty nor hold + or #.")
    }
    guard payload.count <= Self.payloadBytesMax else {
      throw MQTTError(.invalidMessage, "An MQTT payload holds at most \(Self.payloadBytesMax) bytes, not \(payload.count).")
    }
    guard expiry == nil || version == .v5 else {
      throw MQTTError(.invalidMessage, "Message expiry needs MQTT 5, but the connection speaks \(version.rawValue).")
    }
  }
}
