/// What the server says on `/ws` besides events, each encoded as one text frame's payload.
package enum EpicuraServerMessage: Hashable, Sendable {
  /// `{"type":"connected","user_id":"…"}`
  case connected(userID: String)
  /// `{"type":"subscribed","appliance_id","timestamp","data":{"current_status":"online"}}`; to a client that named the last event it saw, `data` has
  /// `recovered` too: whether all that it missed is going to follow.
  case subscribed(ApplianceID, Timestamp, currentStatus: String, recovered: Bool? = nil)
  /// `{"type":"unsubscribed","appliance_id","timestamp"}`
  case unsubscribed(ApplianceID, Timestamp)
  /// `{"type":"token:expiring","timestamp","data":{"expires_at"}}`: the connection ends then, unless the client sends `auth` with another token.
  case tokenExpiring(Timestamp, expiresAt: Timestamp)
  /// `{"type":"authenticated","timestamp","data":{"expires_at"}}`: the token in `auth` counts from now on.
  case authenticated(Timestamp, expiresAt: Timestamp)
  /// `{"type":"pong"}`
  case pong
  /// `{"type":"error","appliance_id","timestamp","data":{"code","message"}}`; without `appliance_id` where none was named.
  case error(EpicuraRejection, Timestamp)

  package func encoded() -> [UInt8] {
    var text: [UInt8] = []
    switch self {
    case .connected(let userID):
      text.append("{\"type\":\"connected\",\"user_id\":")
      text.append(json: userID)
    case .subscribed(let appliance, let timestamp, let status, let recovered):
      Self.begin(&text, "{\"type\":\"subscribed\"", appliance, timestamp)
      text.append(",\"data\":{\"current_status\":")
      text.append(json: status)
      if let recovered { text.append(recovered ? ",\"recovered\":true" : ",\"recovered\":false") }
      text.append(UInt8(ascii: "}"))
    case .unsubscribed(let appliance, let timestamp):
      Self.begin(&text, "{\"type\":\"unsubscribed\"", appliance, timestamp)
    case .tokenExpiring(let timestamp, let expiresAt):
      Self.begin(&text, "{\"type\":\"token:expiring\"", nil, timestamp)
      Self.append(expiresAt, to: &text)
    case .authenticated(let timestamp, let expiresAt):
      Self.begin(&text, "{\"type\":\"authenticated\"", nil, timestamp)
      Self.append(expiresAt, to: &text)
    case .pong:
      text.append("{\"type\":\"pong\"")
    case .error(let rejection, let timestamp):
      Self.begin(&text, "{\"type\":\"error\"", rejection.applianceID, timestamp)
      text.append(",\"data\":{\"code\":")
      text.append(json: rejection.code.rawValue)
      text.append(",\"message\":")
      text.append(json: rejection.message)
      text.append(UInt8(ascii: "}"))
    }
    text.append(UInt8(ascii: "}"))
    return text
  }

  private static func append(_ expiresAt: Timestamp, to text: inout [UInt8]) {
    text.append(",\"data\":{\"expires_at\":")
    text.append(json: expiresAt.iso8601)
    text.append(UInt8(ascii: "}"))
  }

  private static func begin(_ text: inout [UInt8], _ start: StaticString, _ appliance: ApplianceID?, _ timestamp: Timestamp) {
    text.append(start)
    if let appliance {
      text.append(",\"appliance_id\":")
      text.append(json: appliance.rawValue)
    }
    text.append(",\"timestamp\":")
    text.append(json: timestamp.iso8601)
  }
}
