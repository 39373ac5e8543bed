import EventLog
import MQTTClient
import Models

/// By what the log knows a message again: the first 16 bytes of a SHA-256 over what makes it this message. Pure.
enum Fingerprint {
  /// A device that numbers its messages is believed, whichever way a message came.
  /// - Returns: `nil` for a device that does not.
  static func ofDevice(_ event: Event, _ identity: DeviceIdentity) -> [UInt8]? {
    let (appliance, type) = (Array(event.applianceID.rawValue.utf8), Array(event.type.rawValue.utf8))
    switch identity {
    case .messageID(let id): return LogEntry.fingerprint("message_id", appliance, type, id)
    // With the payload in it, a device that starts counting anew loses nothing.
    case .sequence(let number): return LogEntry.fingerprint("seq", appliance, type, number, event.data)
    case .none: return nil
    }
  }

  /// One delivery of the broker and its redeliveries. The session's token is in it because packet identifiers start anew with a new
  /// session, and the payload because they wrap around.
  static func ofDelivery(_ message: MQTTMessage, clientID: String) -> [UInt8] {
    let number = [UInt8](bigEndianOf: message.sessionToken) + [UInt8](bigEndianOf: UInt32(message.packetID))
    return LogEntry.fingerprint("mqtt", Array(clientID.utf8), number, Array(message.topic.utf8), message.payload)
  }

  /// Of a device's answer to a command, which every replica hears.
  static func ofAnswer(_ message: MQTTMessage) -> [UInt8] { LogEntry.fingerprint("answer", Array(message.topic.utf8), message.payload) }

  /// Of the word that a command was sent, which replicas may have twice after a crash.
  static func ofSending(_ command: Command) -> [UInt8] { LogEntry.fingerprint("sent", Array(command.id.utf8)) }
}

extension [UInt8] {
  fileprivate init(bigEndianOf number: UInt32) {
    self = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }
}
