internal import Models
internal import Store

/// A record on its way through Redis to PostgreSQL: a JSON object.
extension WatchRecord {
  func encoded() -> [UInt8] {
    var members = [("id", id.text), ("device", device.rawValue), ("user", userID), ("started", String(startedAt.microseconds))]
    if let answeredAt { members.append(("answered", String(answeredAt.microseconds))) }
    if let end { members += [("ended", String(end.at.microseconds)), ("reason", end.reason.rawValue)] }
    var text: [UInt8] = []
    for (index, (name, value)) in members.enumerated() {
      text.append(UInt8(ascii: index == 0 ? "{" : ","))
      text.append(json: name)
      text.append(UInt8(ascii: ":"))
      text.append(json: value)
    }
    text.append(UInt8(ascii: "}"))
    return text
  }

  /// Nil for what `encoded()` did not write.
  init?(parsing text: [UInt8]) {
    guard let object = try? JSONObject(parsing: text), let id = object.string("id").flatMap({ WatchID($0) }),
      let name = object.string("device"), let device = try? ApplianceID(name), let userID = object.string("user"),
      let startedAt = object.moment("started")
    else { return nil }
    var end: End?
    if let at = object.moment("ended"), let reason = object.string("reason").flatMap(WatchEndReason.init) {
      end = End(at: at, reason: reason)
    }
    self.init(id: id, device: device, userID: userID, startedAt: startedAt, answeredAt: object.moment("answered"), end: end)
  }
}

extension JSONObject {
  /// Microseconds since 1970, in a string.
  fileprivate func moment(_ name: String) -> Timestamp? { string(name).flatMap { Int64($0) }.map(Timestamp.init(microseconds:)) }
}
