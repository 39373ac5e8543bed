import EventLog
import MQTTClient
import Models

/// One batch, sorted into what the log takes and what is only counted. Pure.
struct Intake {
  struct RejectedMessage: Hashable {
    let topic: String
    let rejection: Rejection
    let payload: [UInt8]
  }

  private(set) var entries: [LogEntry] = []
  private(set) var rejected: [RejectedMessage] = []
  private(set) var ignoredCount = 0
  private(set) var brokerDropped: Int?

  /// How far ahead of the receipt a device's clock is believed when the newest is told from the late.
  static let clockLead = Duration.seconds(300)
  /// A longer topic is cut in its dead letter.
  static let topicBytesMax = 1024

  init(_ messages: [MQTTMessage], clientID: String, receivedAt: Timestamp) {
    entries.reserveCapacity(messages.count)
    for message in messages { take(message, clientID, receivedAt) }
  }

  private mutating func take(_ message: MQTTMessage, _ clientID: String, _ receivedAt: Timestamp) {
    let translation = Translation(
      topic: message.topic, payload: message.payload, payloadByteCount: message.payloadByteCount, receivedAt: receivedAt)
    // At QoS 0 the broker sends once.
    let ofDelivery = message.qos == .atMostOnce ? nil : Fingerprint.ofDelivery(message, clientID: clientID)
    switch translation {
    case .event(let event, let identity):
      let ofDevice = Fingerprint.ofDevice(event, identity)
      entries.append(
        LogEntry(
          .event(event), fingerprint: ofDevice ?? ofDelivery, mayBeDuplicate: ofDevice != nil || message.isRedelivery,
          window: ofDevice != nil ? .everyone : .writer,
          order: Self.order(of: event, receivedAt: receivedAt)))
    case .deadLetter(let rejection):
      rejected.append(RejectedMessage(topic: message.topic, rejection: rejection, payload: message.payload))
      let topic = String(decoding: message.topic.utf8.prefix(Self.topicBytesMax), as: UTF8.self)
      let letter = DeadLetter(topic: topic, payload: message.payload, reason: rejection.explanation, receivedAt: receivedAt)
      entries.append(
        LogEntry(.deadLetter(letter), fingerprint: ofDelivery, mayBeDuplicate: message.isRedelivery, order: receivedAt))
    case .ignored: ignoredCount += 1
    case .brokerDropped(let count): brokerDropped = count
    }
  }

  /// A status is ordered by its receipt: a last will's text was written when the device connected, long before it speaks.
  private static func order(of event: Event, receivedAt: Timestamp) -> Timestamp {
    event.type.rawValue == "appliance:status" ? receivedAt : min(event.timestamp, receivedAt + clockLead)
  }
}
