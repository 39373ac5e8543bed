internal import Models

extension EpicuraClientMessage {
  /// One text frame's payload.
  func encoded() -> [UInt8] {
    switch self {
    case .subscribe(let appliance, nil): return Array(json: ["type": "subscribe", "appliance_id": appliance.rawValue])
    case .subscribe(let appliance, let since?):
      return Array(json: ["type": "subscribe", "appliance_id": appliance.rawValue, "since": since.description])
    case .unsubscribe(let appliance): return Array(json: ["type": "unsubscribe", "appliance_id": appliance.rawValue])
    case .ping: return Array(json: ["type": "ping"])
    case .auth(let token): return Array(json: ["type": "auth", "token": token])
    case .command(let type, let appliance, let data, let requestID):
      var text = Array("{".utf8)
      text.appendMember("type", type.rawValue)
      text.appendMember("appliance_id", appliance.rawValue)
      if let requestID { text.appendMember("request_id", requestID) }
      return text + Array(",\"data\":".utf8) + data + [UInt8(ascii: "}")]
    }
  }
}
