/// Something that came in and could not be understood, kept whole with its reason, so that one bad message neither stops the rest nor is lost.
package struct DeadLetter: Hashable, Sendable {
  /// Where it came from: the MQTT topic, or the stream of a row that PostgreSQL refused.
  package let topic: String
  package let payload: [UInt8]
  package let reason: String
  package let receivedAt: Timestamp

  package init(topic: String, payload: [UInt8], reason: String, receivedAt: Timestamp) {
    self.topic = topic
    self.payload = payload
    self.reason = reason
    self.receivedAt = receivedAt
  }
}
