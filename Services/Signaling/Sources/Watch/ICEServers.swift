internal import Digests
internal import FoundationEssentials
internal import Models

/// The STUN and TURN servers that both ends are told of.
///
/// TURN's credentials are of the time-limited kind that coturn takes with `use-auth-secret`: the user name is `<expiry>:<name>`, the password
/// base64(HMAC-SHA1(secret, user name)). Each end of each session has its own.
struct ICEServers: Sendable, CustomStringConvertible {
  let stunURLs: [String]
  let turnURLs: [String]
  private let readSecret: @Sendable () -> String
  let credentialLife: Duration

  /// - Parameter readSecret: gives TURN's secret, for each credential anew, since it may change; of several, a line each, the first signs, and the TURN server takes all.
  init(stunURLs: [String], turnURLs: [String], readSecret: @escaping @Sendable () -> String, credentialLife: Duration) {
    (self.stunURLs, self.turnURLs) = (stunURLs, turnURLs)
    (self.readSecret, self.credentialLife) = (readSecret, credentialLife)
  }

  var description: String { "ICEServers(stun: \(stunURLs), turn: \(turnURLs))" }

  /// How often the credentials of a session that goes on are to be renewed: well before they run out. Nil where there are none.
  var renewalPeriod: Duration? { turnURLs.isEmpty ? nil : credentialLife * 3 / 4 }

  /// What one end of a session is told.
  func list(for side: WatchSession.Side, of watch: WatchID, userID: String, now: Timestamp) -> [ICEServer] {
    let stun = stunURLs.map { ICEServer(urls: [$0]) }
    guard !turnURLs.isEmpty else { return stun }
    let name = side == .device ? "device_\(watch.short)" : "viewer_\(Self.plain(userID))_\(watch.short)"
    let username = "\((now + credentialLife).microseconds / 1_000_000):\(name)"
    let secret = readSecret().split(whereSeparator: \.isNewline).first ?? ""
    let password = Data(Digests.hmacSHA1(username.utf8, key: Array(secret.utf8))).base64EncodedString()
    return stun + [ICEServer(urls: turnURLs, credential: .init(username: username, password: password))]
  }

  /// A user's id as a part of a name: what could mean something to a TURN server is replaced.
  private static func plain(_ userID: String) -> String {
    String(userID.prefix(64).map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == ".") ? $0 : "-" })
  }
}
