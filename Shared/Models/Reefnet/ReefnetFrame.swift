/// What a heater module says (the reefnet document, "Common Envelope"): a `status` or an `alarm`.
///
/// On the bus it is an event of type `reefnet:status` or `reefnet:alarm` whose `data` is the whole frame, byte for byte, so that what nobody here knows is
/// carried on and a UI gets the frame that the module sent.
package struct ReefnetFrame: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case status, alarm

    package var eventType: EventType { self == .status ? .reefnetStatus : .reefnetAlarm }
  }

  /// The one version that is spoken here.
  package static let protocolVersion = "reefnet.v1"

  package let moduleID: ApplianceID
  package let kind: Kind
  /// Nil for a module that does not know the time yet.
  package let sentAt: Timestamp?
  package let payload: JSONObject
  private let text: [UInt8]

  /// Reads a frame and checks what the document shows of it, by path. Names of states and badges that the document does not list pass.
  package init(parsing text: [UInt8]) throws(ReefnetRefusal) {
    let object = try ReefnetRefusal.frame(text)
    guard let type = object.string("type") else { throw .malformed(.missing("type")) }
    guard object.contains("protocol") else { throw .malformed(.missing("protocol")) }
    guard let kind = Kind(rawValue: type) else { throw .unknownType(type) }
    self.kind = kind
    do throws(ModelError) {
      try Self.envelope.check(object, path: "")
      guard let module = object.string("module_id") else { throw .missing("module_id") }
      moduleID = try ApplianceID(module)
      guard let payload = object.object("payload") else { throw .missing("payload") }
      try Self.shape(of: kind).check(payload, path: "payload")
      self.payload = payload
    } catch {
      throw .malformed(error)
    }
    sentAt = object.string("sent_at").flatMap(Timestamp.init(iso8601:))
    self.text = object.bytes
  }

  /// The event that it is on the bus.
  package func event(receivedAt: Timestamp) -> Event {
    Event(type: kind.eventType, applianceID: moduleID, timestamp: sentAt ?? receivedAt, data: text)
  }

  private static let envelope = DataShape([
    .required("protocol", .string), .required("module_id", .string), .optional("submodule_id", .string), .optional("sent_at", .string),
    .required("payload", .object(DataShape())),
  ])

  private static func shape(of kind: Kind) -> DataShape {
    switch kind {
    case .status: ReefnetStatus.shape
    case .alarm: ReefnetAlarm.shape
    }
  }
}

extension EventType {
  /// A module's `status`: every second, so a slow client is given the newest.
  package static let reefnetStatus = EventType(known: "reefnet:status")
  package static let reefnetAlarm = EventType(known: "reefnet:alarm")
}

/// Why a frame is not acted on (the document's "Error handling"). It is logged; nobody is answered.
package enum ReefnetRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  /// Not JSON, or a member is missing or wrong: logged with its raw bytes, and dropped.
  case malformed(ModelError)
  /// Another `protocol` than `reefnet.v1`: ignored.
  case foreignProtocol(String)
  /// Ignored.
  case unknownType(String)
  /// A `control` without `payload` or `command`, or with a command that is unknown: a warning, and nothing is done.
  case noCommand(String)

  /// What is logged of a frame's raw bytes, at most (SPEC, section 3).
  package static let loggedBytesMax = 1024

  package var description: String {
    switch self {
    case .malformed(let error): "Malformed frame: \(error)"
    case .foreignProtocol(let name): "The protocol is '\(name.prefix(64))'; only \(ReefnetFrame.protocolVersion) is spoken here"
    case .unknownType(let type): "Unknown frame type '\(type.prefix(64))'"
    case .noCommand(let reason): "A control frame without effect: \(reason)"
    }
  }

  /// The frame's object, of this protocol or of none.
  static func frame(_ text: [UInt8]) throws(ReefnetRefusal) -> JSONObject {
    let object: JSONObject
    do { object = try JSONObject(parsing: text) } catch { throw .malformed(.malformed(error)) }
    if object.contains("protocol") {
      guard let name = object.string("protocol") else { throw .malformed(.wrongType(path: "protocol", wanted: "a string")) }
      guard name == ReefnetFrame.protocolVersion else { throw .foreignProtocol(name) }
    }
    return object
  }
}
