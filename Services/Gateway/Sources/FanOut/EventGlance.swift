internal import Models

/// What can be told of an event on the bus without parsing it. `Event.encoded()` puts `type` first and `id` last, so both are found at the ends.
enum EventGlance {
  /// The event's type, or nil when the text does not begin as the bus writes it.
  static func type(of message: UnsafeRawBufferPointer) -> EventType? {
    let start = typePrefix.utf8CodeUnitCount
    guard message.count > start, message.prefix(start).elementsEqual(UnsafeRawBufferPointer(typePrefix)),
      let end = message[start...].prefix(EventType.lengthMax + 1).firstIndex(of: UInt8(ascii: "\""))
    else { return nil }
    return try? EventType(String(decoding: message[start..<end], as: UTF8.self))
  }

  /// The event's id, or nil when the text does not end as the bus writes it.
  static func id(of message: UnsafeRawBufferPointer) -> EventID? {
    let end = message.count - 2
    guard end > 0, message[end] == UInt8(ascii: "\""), message[end + 1] == UInt8(ascii: "}"),
      let quote = message[max(0, end - idLengthMax)..<end].lastIndex(of: UInt8(ascii: "\"")),
      message[..<(quote + 1)].suffix(idPrefix.utf8CodeUnitCount).elementsEqual(UnsafeRawBufferPointer(idPrefix))
    else { return nil }
    return EventID(String(decoding: message[(quote + 1)..<end], as: UTF8.self))
  }

  /// The id of the command whose life the event is of, or nil for any other event. Only those are parsed.
  static func commandID(of message: UnsafeRawBufferPointer) -> String? {
    guard message.starts(with: UnsafeRawBufferPointer(commandPrefix)), let event = try? Event(parsing: Array(message)) else { return nil }
    return event.commandID
  }

  /// The id of the command whose outcome the event is.
  static func settledCommandID(of message: UnsafeRawBufferPointer) -> String? {
    guard message.starts(with: UnsafeRawBufferPointer(commandPrefix)), let type = type(of: message),
      type == .commandAcknowledged || type == .commandFailed
    else { return nil }
    return commandID(of: message)
  }

  private static let commandPrefix: StaticString = "{\"type\":\"command:"
  private static let typePrefix: StaticString = "{\"type\":\""
  private static let idPrefix: StaticString = ",\"id\":\""
  /// Two numbers of 64 bits, a dash and a quote.
  private static let idLengthMax = 42
}

extension UnsafeRawBufferPointer {
  fileprivate init(_ text: StaticString) { self.init(start: text.utf8Start, count: text.utf8CodeUnitCount) }
}

extension Event {
  /// The command whose life the event is of.
  var commandID: String? {
    guard type.rawValue.hasPrefix("command:") else { return nil }
    return (try? JSONObject(parsing: data))?.string("command_id")
  }
}
