/// What a controller may send on `/ws/controller/telemetry` (the WebMACS document's "Inbound Message Format", and SPEC, section 2).
package enum WebMACSControllerMessage: Hashable, Sendable {
  case batch(WebMACSBatch)
  case ping
  /// Another token in place of the one that runs out: `{"type":"auth","token":"…"}`.
  case auth(token: String)

  /// Reads one text frame, which must be UTF-8. Throws what the controller is to be told; a datapoint that is wrong by itself is no reason.
  package init(parsing frame: [UInt8]) throws(WebMACSRejection) {
    var reader = WebMACSFrameReader()
    frame.withUnsafeBufferPointer { reader.read($0) }
    self = try reader.message()
  }
}

/// A batch of readings, each checked by itself.
package struct WebMACSBatch: Hashable, Sendable {
  /// A reading that can be one.
  package struct Datapoint: Hashable, Sendable {
    /// Its place in the batch, from 0.
    package let index: Int
    /// The sensor's name, 1 to 64 characters.
    package let eventID: String
    /// A finite JSON number, as the controller wrote it unless that was very long.
    package let value: [UInt8]
  }

  /// The document's "max 500 items".
  package static let countMax = 500

  package internal(set) var datapoints: [Datapoint] = []
  /// Those that cannot be readings, and why.
  package internal(set) var refusals: [WebMACSRefusal] = []

  package var count: Int { datapoints.count + refusals.count }
}

/// Why one datapoint of a batch is not kept.
package struct WebMACSRefusal: Hashable, Sendable {
  /// Its place in the batch, from 0.
  package let index: Int
  package let reason: String

  package init(index: Int, reason: String) {
    self.index = index
    self.reason = reason
  }
}

/// Why a client's message was refused: the text of an `error` frame.
package struct WebMACSRejection: Error, Hashable, Sendable {
  package let message: String

  package init(_ message: String) { self.message = message }

  package static let tooMany = WebMACSRejection("Batch exceeds \(WebMACSBatch.countMax) datapoints")
}

/// Goes once through a controller's frame, or through the `data` of the event that is made of it.
///
/// A frame of 500 datapoints is read on an event loop, so no object is made of each of them. `NaN` and `Infinity`, which are no JSON but which
/// programs write all the same, are known as values that are no readings: they must not take the good ones of their batch along.
struct WebMACSFrameReader {
  private(set) var batch = WebMACSBatch()
  private var count = 0
  private var hasDatapoints = false
  private var type: String?
  private var token: String?
  private(set) var experimentID: String?
  private var rejection: WebMACSRejection?

  mutating func read(_ buffer: UnsafeBufferPointer<UInt8>) {
    var scanner = JSONScanner(buffer, knowsNonFinite: true)
    scanner.skipWhitespace()
    guard scanner.next == UInt8(ascii: "{") else {
      rejection = WebMACSRejection("The message is not a JSON object")
      return
    }
    do throws(JSONError) {
      try scanner.skipObject(depth: 1) { (name, scanner) throws(JSONError) in
        try member(JSONString.decode(buffer[name]), &scanner, buffer)
      }
      scanner.skipWhitespace()
      guard scanner.isAtEnd else { throw .unexpected(offset: scanner.position) }
    } catch {
      rejection = WebMACSRejection("The message is not valid: \(error)")
    }
  }

  private mutating func member(_ name: String, _ scanner: inout JSONScanner, _ buffer: UnsafeBufferPointer<UInt8>) throws(JSONError) {
    let start = scanner.position
    switch name {
    case "datapoints" where scanner.next == UInt8(ascii: "["):
      if hasDatapoints { throw .duplicateMember(name) }
      hasDatapoints = true
      try scanner.skipArray(depth: 2) { (index, scanner) throws(JSONError) in
        count += 1
        if count > WebMACSBatch.countMax { try scanner.skipValue(depth: 2) } else { try datapoint(index, &scanner, buffer) }
      }
    case "type":
      try scanner.skipValue(depth: 1)
      type = Self.text(buffer[start..<scanner.position])
    case "token":
      try scanner.skipValue(depth: 1)
      token = Self.text(buffer[start..<scanner.position])
    case "experiment_public_id":
      try scanner.skipValue(depth: 1)
      experimentID = Self.text(buffer[start..<scanner.position])
    default: try scanner.skipValue(depth: 1)
    }
  }

  private mutating func datapoint(
    _ index: Int, _ scanner: inout JSONScanner, _ buffer: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) {
    guard scanner.next == UInt8(ascii: "{") else {
      try scanner.skipValue(depth: 2)
      batch.refusals.append(WebMACSRefusal(index: index, reason: "it is not an object"))
      return
    }
    var (value, eventID): (Range<Int>?, Range<Int>?)
    try scanner.skipObject(depth: 3) { (nameRange, scanner) throws(JSONError) in
      let name = JSONString.decode(buffer[nameRange])
      let start = scanner.position
      try scanner.skipValue(depth: 3)
      switch name {
      case "value": value = start..<scanner.position
      case "event_public_id": eventID = start..<scanner.position
      default: break
      }
    }
    do throws(WebMACSRejection) {
      let eventID = try Self.eventID(eventID.map { buffer[$0] })
      batch.datapoints.append(.init(index: index, eventID: eventID, value: try Self.value(value.map { buffer[$0] })))
    } catch {
      batch.refusals.append(WebMACSRefusal(index: index, reason: error.message))
    }
  }

  private static func text(_ value: Slice<UnsafeBufferPointer<UInt8>>) -> String? {
    value.first == UInt8(ascii: "\"") ? JSONString.decode(value) : nil
  }

  private static func eventID(_ value: Slice<UnsafeBufferPointer<UInt8>>?) throws(WebMACSRejection) -> String {
    guard let value else { throw WebMACSRejection("'event_public_id' is missing") }
    guard let text = text(value), WebMACSDatapoints.isEventID(text) else {
      throw WebMACSRejection("'event_public_id' must be a string of 1 to \(WebMACSDatapoints.eventIDLengthMax) characters")
    }
    return text
  }

  /// The longest text of a number that is kept as it is: a double has at most 17 digits.
  private static let numberLengthMax = 32

  private static func value(_ value: Slice<UnsafeBufferPointer<UInt8>>?) throws(WebMACSRejection) -> [UInt8] {
    guard let value else { throw WebMACSRejection("'value' is missing") }
    guard let number = JSONNumber.double(value) else { throw WebMACSRejection("'value' must be a finite number") }
    return value.count <= numberLengthMax ? Array(value) : Array(String(number).utf8)
  }

  func message() throws(WebMACSRejection) -> WebMACSControllerMessage {
    if let rejection { throw rejection }
    switch (type, token) {
    case ("ping", _): return .ping
    case ("auth", let token?): return .auth(token: token)
    case ("auth", nil): throw WebMACSRejection("'token' is missing or no string")
    case (let type, _) where !hasDatapoints:
      throw WebMACSRejection(
        type.map { "Unknown message type '\($0.prefix(64))'; a controller sends datapoints, ping or auth" }
          ?? "'datapoints' is missing or no array")
    default: break
    }
    guard count <= WebMACSBatch.countMax else { throw .tooMany }
    return .batch(batch)
  }
}
