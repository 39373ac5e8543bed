/// What a camera or a viewer says (the signaling document, "Message Format"). Session descriptions and candidates stay as they came, unread.
package enum SignalingClientMessage: Hashable, Sendable {
  case hello(SignalingHello)
  case heartbeat
  /// The `device_id` as it came.
  case watchRequest(device: String)
  /// The value of `sdp`, an object.
  case offer(WatchID, sdp: [UInt8])
  case answer(WatchID, sdp: [UInt8])
  /// The value of `candidate`, an object or `null`.
  case candidate(WatchID, [UInt8])
  case endWatch(WatchID)
  /// The whole payload, an object.
  case presence([UInt8])
  /// A new token for a connection whose own runs out (SPEC, section 2).
  case auth(token: String)

  /// Longest value of `sdp` (SPEC, section 2).
  package static let descriptionLengthMax_bytes = 64 * 1024
  package static let candidateLengthMax_bytes = 4 * 1024
  package static let presenceLengthMax_bytes = 4 * 1024
}

/// What a client says of itself first.
package struct SignalingHello: Hashable, Sendable {
  package let deviceID: String?
  package let token: String?
  /// Names of what the client understands beyond the document; those that nobody knows are passed over.
  package let features: Set<String>

  /// The client takes new credentials for a session that goes on, by `ice_servers`.
  package static let iceServersFeature = "ice_servers"
}

/// A message as it came in: what it says, and by which id its answer is to be known.
package struct SignalingRequest: Hashable, Sendable {
  package let message: SignalingClientMessage
  package let requestID: String?

  private static let requestIDLengthMax_bytes = 128

  /// Throws what is wrong with it, to be told to the client.
  package init(parsing text: [UInt8]) throws(SignalingRejection) {
    let envelope: JSONObject
    do { envelope = try JSONObject(parsing: text) } catch { throw SignalingRejection("Malformed message: \(error)") }
    if envelope.contains("request_id") {
      guard let id = envelope.string("request_id"), id.utf8.count <= Self.requestIDLengthMax_bytes else {
        throw SignalingRejection("'request_id' must be a string of at most \(Self.requestIDLengthMax_bytes) bytes")
      }
      requestID = id
    } else {
      requestID = nil
    }
    do throws(SignalingRejection) {
      guard let type = envelope.string("type") else { throw SignalingRejection("'type' must be a string") }
      guard envelope.string("ts") != nil else { throw SignalingRejection("'ts' must be a string") }
      guard let payload = envelope.object("payload") else { throw SignalingRejection("'payload' must be an object") }
      message = try Self.message(type, payload)
    } catch {
      throw SignalingRejection(error.message, requestID: requestID)
    }
  }

  private static func message(_ type: String, _ payload: JSONObject) throws(SignalingRejection) -> SignalingClientMessage {
    switch type {
    case "hello": return .hello(try hello(payload))
    case "heartbeat": return .heartbeat
    case "watch_request": return .watchRequest(device: try string("device_id", in: payload))
    case "signal_offer": return .offer(try session(payload), sdp: try description(payload))
    case "signal_answer": return .answer(try session(payload), sdp: try description(payload))
    case "signal_ice": return .candidate(try session(payload), try candidate(payload))
    case "end_watch": return .endWatch(try session(payload))
    case "device_presence":
      let longest = SignalingClientMessage.presenceLengthMax_bytes
      guard payload.bytes.count <= longest else { throw SignalingRejection("'payload' must have at most \(longest) bytes") }
      return .presence(payload.bytes)
    case "auth": return .auth(token: try string("token", in: payload))
    default: throw SignalingRejection("Unknown message type '\(type.prefix(64))'")
    }
  }

  private static func hello(_ payload: JSONObject) throws(SignalingRejection) -> SignalingHello {
    for name in ["device_id", "token"] where payload.contains(name) && payload.string(name) == nil {
      throw SignalingRejection("'payload.\(name)' must be a string")
    }
    guard let features = payload.contains("features") ? strings("features", in: payload) : [] else {
      throw SignalingRejection("'payload.features' must be an array of strings")
    }
    return SignalingHello(deviceID: payload.string("device_id"), token: payload.string("token"), features: Set(features))
  }

  /// Nil for anything but an array of strings.
  private static func strings(_ name: String, in payload: JSONObject) -> [String]? {
    guard let elements = payload.elements(name), elements.allSatisfy({ $0.first == UInt8(ascii: "\"") }) else { return nil }
    return elements.map { JSONString.decode($0) }
  }

  private static func string(_ name: String, in payload: JSONObject) throws(SignalingRejection) -> String {
    guard let value = payload.string(name) else { throw SignalingRejection("'payload.\(name)' must be a string") }
    return value
  }

  /// A name that cannot be a session's is answered as one of no session.
  private static func session(_ payload: JSONObject) throws(SignalingRejection) -> WatchID {
    guard let session = WatchID(try string("session_id", in: payload)) else { throw .sessionNotFound }
    return session
  }

  private static func description(_ payload: JSONObject) throws(SignalingRejection) -> [UInt8] {
    guard let raw = payload.raw("sdp"), raw.first == UInt8(ascii: "{") else { throw SignalingRejection("'payload.sdp' must be an object") }
    let longest = SignalingClientMessage.descriptionLengthMax_bytes
    guard raw.count <= longest else { throw SignalingRejection("'payload.sdp' must have at most \(longest) bytes") }
    return Array(raw)
  }

  private static func candidate(_ payload: JSONObject) throws(SignalingRejection) -> [UInt8] {
    guard let raw = payload.raw("candidate"), raw.first == UInt8(ascii: "{") || raw.elementsEqual("null".utf8) else {
      throw SignalingRejection("'payload.candidate' must be an object or null")
    }
    let longest = SignalingClientMessage.candidateLengthMax_bytes
    guard raw.count <= longest else { throw SignalingRejection("'payload.candidate' must have at most \(longest) bytes") }
    return Array(raw)
  }
}

/// Why a message is refused: what the `error` frame says.
package struct SignalingRejection: Error, Hashable, Sendable {
  package let message: String
  package let requestID: String?

  package init(_ message: String, requestID: String? = nil) {
    self.message = message
    self.requestID = requestID
  }

  /// The document's "Common errors".
  package static let deviceNotFound = SignalingRejection("Device not found")
  package static let deviceOffline = SignalingRejection("Device is offline")
  package static let sessionNotFound = SignalingRejection("Session not found")
  package static let unauthorized = SignalingRejection("Unauthorized")
}
