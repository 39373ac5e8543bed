/// How a connection ended: a close code of RFC 6455, section 7.4, and the server's reason.
struct Closing: Hashable, Sendable {
  /// The connection was lost, and nothing was said.
  static let lost = Closing(code: 1006)

  let code: Int
  var reason = ""

  /// What it asks of a client (the gateway's README, "Close codes").
  enum Verdict {
    /// Comes back by the schedule.
    case comesBack
    /// The same, but not at once.
    case comesBackLater
    /// Comes back with another token only.
    case needsToken
    /// Would be closed again, so it stays away.
    case staysAway
  }

  var verdict: Verdict {
    switch code {
    case 1013: .comesBackLater
    case 1008: Self.tokenReasons.contains(reason) ? .needsToken : .staysAway
    // The client broke the protocol: the same client would do it again.
    case 1002, 1003, 1007, 1009: .staysAway
    default: .comesBack
    }
  }

  /// 1008 has these reasons where another token helps; with any other it is about what the client did.
  private static let tokenReasons: Set<String> = [
    "Authentication required", "Invalid or expired token", "Token has been revoked", "User not found",
  ]
}
