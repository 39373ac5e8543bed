/// What the broker says to a camera or a viewer (the signaling document), each encoded as one text frame's payload.
package enum SignalingServerMessage: Hashable, Sendable {
  case deviceHelloAck(ApplianceID)
  case viewerHelloAck(userID: String)
  case heartbeatAck
  /// To the device: `userID` wants to watch it.
  case watchRequest(WatchID, userID: String, [ICEServer])
  /// To the viewer: the session that it asked for.
  case watchReady(WatchID, [ICEServer])
  /// The values of `sdp` and `candidate` as they came.
  case offer(WatchID, sdp: [UInt8])
  case answer(WatchID, sdp: [UInt8])
  case candidate(WatchID, [UInt8])
  case watchEnded(WatchID, WatchEndReason)
  /// New credentials for a session that goes on; for clients that said that they understand it.
  case iceServers(WatchID, [ICEServer])
  case error(String)
  /// The token by which the client came in runs out soon.
  case tokenExpiring(Timestamp)
  /// The answer to `auth`: the new token is good until then.
  case authenticated(until: Timestamp)

  package var type: StaticString {
    switch self {
    case .deviceHelloAck, .viewerHelloAck: "hello_ack"
    case .heartbeatAck: "heartbeat_ack"
    case .watchRequest: "watch_request"
    case .watchReady: "watch_ready"
    case .offer: "signal_offer"
    case .answer: "signal_answer"
    case .candidate: "signal_ice"
    case .watchEnded: "watch_ended"
    case .iceServers: "ice_servers"
    case .error: "error"
    case .tokenExpiring: "token:expiring"
    case .authenticated: "authenticated"
    }
  }

  /// - Parameter requestID: that of the message which this one answers.
  package func encoded(at now: Timestamp, requestID: String? = nil) -> [UInt8] {
    var text: [UInt8] = []
    text.append("{\"type\":\"")
    text.append(type)
    text.append(UInt8(ascii: "\""))
    if let requestID {
      text.append(",\"request_id\":")
      text.append(json: requestID)
    }
    text.append(",\"ts\":")
    text.append(json: Self.time(now))
    text.append(",\"payload\":{")
    appendPayload(to: &text, now)
    text.append("}}")
    return text
  }

  private func appendPayload(to text: inout [UInt8], _ now: Timestamp) {
    switch self {
    case .deviceHelloAck(let device): Self.append([("device_id", device.rawValue), ("server_time", Self.time(now))], to: &text)
    case .viewerHelloAck(let userID): Self.append([("user_id", userID), ("server_time", Self.time(now))], to: &text)
    case .heartbeatAck: break
    case .watchRequest(let session, let userID, let servers):
      Self.append([("session_id", session.text), ("user_id", userID)], to: &text)
      Self.append(servers, to: &text)
    case .watchReady(let session, let servers), .iceServers(let session, let servers):
      Self.append([("session_id", session.text)], to: &text)
      Self.append(servers, to: &text)
    case .offer(let session, let sdp), .answer(let session, let sdp):
      Self.append([("session_id", session.text)], to: &text)
      text.append(",\"sdp\":")
      text += sdp
    case .candidate(let session, let candidate):
      Self.append([("session_id", session.text)], to: &text)
      text.append(",\"candidate\":")
      text += candidate
    case .watchEnded(let session, let reason): Self.append([("session_id", session.text), ("reason", reason.rawValue)], to: &text)
    case .error(let message): Self.append([("message", message)], to: &text)
    case .tokenExpiring(let end), .authenticated(until: let end): Self.append([("expires_at", Self.time(end))], to: &text)
    }
  }

  /// To the millisecond, as the document has it.
  private static func time(_ moment: Timestamp) -> String {
    let text = Timestamp(microseconds: moment.microseconds / 1000 * 1000).iso8601
    return text.contains(".") ? text : text.dropLast() + ".000Z"
  }

  private static func append(_ members: [(StaticString, String)], to text: inout [UInt8]) {
    for (index, (name, value)) in members.enumerated() {
      text.append(index == 0 ? "\"" : ",\"")
      text.append(name)
      text.append("\":")
      text.append(json: value)
    }
  }

  private static func append(_ servers: [ICEServer], to text: inout [UInt8]) {
    text.append(",\"ice_servers\":[")
    for (index, server) in servers.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      server.append(to: &text)
    }
    text.append(UInt8(ascii: "]"))
  }
}

/// A STUN or TURN server, as browsers take it (`RTCIceServer`).
package struct ICEServer: Hashable, Sendable {
  package struct Credential: Hashable, Sendable, CustomStringConvertible {
    package let username: String
    package let password: String

    package init(username: String, password: String) {
      self.username = username
      self.password = password
    }

    package var description: String { "Credential(…)" }
  }

  package let urls: [String]
  /// What TURN asks for.
  package let credential: Credential?

  package init(urls: [String], credential: Credential? = nil) {
    self.urls = urls
    self.credential = credential
  }

  fileprivate func append(to text: inout [UInt8]) {
    text.append("{\"urls\":")
    if let url = urls.first, urls.count == 1, credential == nil {
      text.append(json: url)
    } else {
      for (index, url) in urls.enumerated() {
        text.append(index == 0 ? "[" : ",")
        text.append(json: url)
      }
      text.append(UInt8(ascii: "]"))
    }
    if let credential {
      text.append(",\"username\":")
      text.append(json: credential.username)
      text.append(",\"credential\":")
      text.append(json: credential.password)
      text.append(",\"credentialType\":\"password\"")
    }
    text.append(UInt8(ascii: "}"))
  }
}
