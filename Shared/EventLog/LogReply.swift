internal import Models
internal import RedisClient

/// Reads what Redis says of the log's streams.
enum LogReply {
  struct Entry {
    let id: EventID
    /// Names and values in turn.
    let fields: [RESPValue]

    subscript(_ name: String) -> [UInt8]? {
      stride(from: 0, to: fields.count - 1, by: 2).first { fields[$0].bytes?.elementsEqual(name.utf8) == true }.flatMap {
        fields[$0 + 1].bytes
      }
    }
  }

  /// The records of `XREAD`'s answer for one stream.
  static func records(_ reply: RESPValue, stream: String) throws(RedisError) -> [LogRecord] {
    guard !reply.isNull else { return [] }
    guard let entries = reply.array?.first?.array, entries.count == 2 else { throw RedisEventLog.unexpected("XREAD") }
    return try Self.entries(entries[1]).map { record($0, stream: stream) }
  }

  static func entries(_ reply: RESPValue) throws(RedisError) -> [Entry] {
    var entries: [Entry] = []
    for value in reply.array ?? [] {
      guard let parts = value.array, parts.count == 2, let id = parts[0].text.flatMap(EventID.init), let fields = parts[1].array else {
        throw RedisEventLog.unexpected("a range of a stream")
      }
      entries.append(Entry(id: id, fields: fields))
    }
    return entries
  }

  static func event(_ entry: Entry) -> Event? {
    guard let body = entry["e"], var event = try? Event(parsing: body) else { return nil }
    event.id = entry.id
    return event
  }

  private static func record(_ entry: Entry, stream: String) -> LogRecord {
    if let event = event(entry) { return LogRecord(id: entry.id, content: .event(event), isLate: entry["late"] != nil) }
    return LogRecord(id: entry.id, content: .deadLetter(deadLetter(entry, stream: stream)), isLate: false)
  }

  /// The dead letter in an entry; what is neither event nor dead letter was not written by us, and becomes one.
  private static func deadLetter(_ entry: Entry, stream: String) -> DeadLetter {
    if let reason = entry["reason"], let topic = entry["topic"], let payload = entry["payload"], let at = entry["at"] {
      return DeadLetter(
        topic: String(decoding: topic, as: UTF8.self), payload: payload, reason: String(decoding: reason, as: UTF8.self),
        receivedAt: Int64(String(decoding: at, as: UTF8.self)).map(Timestamp.init(microseconds:)) ?? entry.id.receivedAt)
    }
    let payload = entry["e"] ?? Array(entry.fields.compactMap(\.bytes).joined(separator: [0]))
    return DeadLetter(topic: stream, payload: payload, reason: "not an entry of the log", receivedAt: entry.id.receivedAt)
  }

  /// `TIME`'s answer, without what is less than a millisecond: ids have no more.
  static func time(_ reply: RESPValue) throws(RedisError) -> Timestamp {
    guard let parts = reply.array?.map({ $0.text.flatMap(UInt64.init) }), parts.count == 2, let seconds = parts[0], let micros = parts[1],
      seconds < 253_402_300_800
    else { throw RedisEventLog.unexpected("TIME") }
    return EventID(milliseconds: seconds * 1000 + micros / 1000, sequence: 0).receivedAt
  }

  /// The last id that a stream has given, from `XINFO STREAM`; zero for a stream that does not exist.
  static func lastID(_ reply: Result<RESPValue, RedisError>) throws(RedisError) -> EventID {
    if case .failure(let error) = reply, error.message.contains("no such key") { return .zero }
    let fields = try reply.get().array ?? []
    guard let place = fields.firstIndex(where: { $0.text == "last-generated-id" }), place + 1 < fields.count,
      let id = fields[place + 1].text.flatMap(EventID.init)
    else { throw RedisEventLog.unexpected("XINFO STREAM") }
    return id
  }
}
