import Models
import NIOCore

@testable import Gateway

/// Values that the tests of the gateway speak of.
enum Samples {
  static let appliance = id("EPIC-001")
  static let other = id("EPIC-002")
  static let time = Timestamp(microseconds: 1_771_072_200_000_000)

  static func id(_ text: String) -> ApplianceID {
    guard let id = try? ApplianceID(text) else { preconditionFailure("\(text) is no appliance id") }
    return id
  }

  static func type(_ text: String) -> EventType {
    guard let type = try? EventType(text) else { preconditionFailure("\(text) is no event type") }
    return type
  }

  /// An event with its number in `data`.
  static func event(_ kind: String, _ number: UInt64, of appliance: ApplianceID = appliance) -> Event {
    Event(
      type: type(kind), applianceID: appliance, timestamp: time, data: Array("{\"n\":\(number)}".utf8),
      id: EventID(milliseconds: number, sequence: 0))
  }

  static func status(_ status: String, _ number: UInt64) -> Event {
    var event = event("appliance:status", number)
    event.data = Array("{\"status\":\"\(status)\"}".utf8)
    return event
  }

  static func frame(_ kind: String, _ number: UInt64, of appliance: ApplianceID = appliance, bytes: Int = 10) -> DeliveryLane.Frame {
    DeliveryLane.Frame(
      bytes: ByteBuffer(bytes: [UInt8](repeating: UInt8(number), count: bytes)), appliance: appliance, type: type(kind),
      id: EventID(milliseconds: number, sequence: 0))
  }
}
