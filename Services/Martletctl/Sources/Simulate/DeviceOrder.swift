import Models

/// A command as a device hears it (SPEC, section 4): `{"command_id","type","issued_at","expires_at","data"}`.
struct DeviceOrder: Sendable {
  let id: String
  let type: String
  let issuedAt: Timestamp
  let expiresAt: Timestamp
  let data: JSONObject?

  /// Nil for a payload that is no whole command.
  init?(_ payload: [UInt8]) {
    guard let object = try? JSONObject(parsing: payload), let id = object.string("command_id"), let type = object.string("type"),
      let issuedAt = object.string("issued_at").flatMap(Timestamp.init(iso8601:)),
      let expiresAt = object.string("expires_at").flatMap(Timestamp.init(iso8601:))
    else { return nil }
    (self.id, self.type, self.issuedAt, self.expiresAt, data) = (id, type, issuedAt, expiresAt, object.object("data"))
  }

  /// The device's answer to the command of that id: `{"command_id","status","message"}`.
  static func answer(to id: String, refusal: String?) -> [UInt8] {
    var object = JSONWriter()
    object.add("command_id", id)
    object.add("status", refusal == nil ? "acknowledged" : "rejected")
    if let refusal { object.add("message", refusal) }
    return object.bytes
  }
}

/// What a device remembers of commands, so that none is carried out twice, late, or after a stop that came later (deploy/decisions/0010). Pure.
struct OrderMemory: Sendable {
  enum Verdict: Equatable {
    case obey
    /// Not even answered: it has its outcome already.
    case ignore
    case refuse(String)
  }

  private static let countMax = 256
  /// Oldest first.
  private var ids: [String] = []
  private var lastStop: Timestamp?

  mutating func judge(_ id: String, issuedAt: Timestamp, expiresAt: Timestamp, isStop: Bool, now: Timestamp) -> Verdict {
    guard !ids.contains(id), now < expiresAt else { return .ignore }
    ids.append(id)
    if ids.count > Self.countMax { ids.removeFirst() }
    if isStop {
      lastStop = max(lastStop ?? issuedAt, issuedAt)
    } else if let lastStop, issuedAt < lastStop {
      return .refuse("A stop was sent after this command.")
    }
    return .obey
  }
}
