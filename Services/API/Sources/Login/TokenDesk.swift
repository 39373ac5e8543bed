import Access
import HTTPTypes
import Models
import Store

/// Gives out tokens: an access token that is checked without asking anyone, and a refresh token that is good for one use.
struct TokenDesk: Sendable {
  struct Lifetimes: Hashable, Sendable {
    var access = Duration.seconds(900)
    var refresh = Duration.seconds(30 * 86_400)
  }

  let issuer: TokenIssuer
  let accounts: AccountStore
  let lifetimes: Lifetimes

  /// A revocation is kept for as long as clocks may let the token live.
  private static let clockLeeway = Duration.seconds(300)

  /// The first tokens of a login: the beginning of a family of refresh tokens.
  func begin(_ userID: String) async throws -> JSONValue {
    let (refresh, now) = (OpaqueSecret(), Timestamp.now())
    try await accounts.beginRefresh(refresh.hash, of: userID, now: now, lifetime: lifetimes.refresh)
    return try await tokens(userID, refresh, now)
  }

  /// The next tokens for a refresh token. Throws `invalid_refresh_token`; one that was used before revokes its family.
  func rotate(_ presented: String) async throws -> JSONValue {
    let (refresh, now) = (OpaqueSecret(), Timestamp.now())
    let outcome: RefreshOutcome =
      if let hash = OpaqueSecret.hash(presented: presented) {
        try await accounts.rotateRefresh(hash, to: refresh.hash, now: now, lifetime: lifetimes.refresh)
      } else { .refused }
    switch outcome {
    case .rotated(let userID):
      APIMetrics.refresh("rotated")
      return try await tokens(userID, refresh, now)
    case .replayed: APIMetrics.refresh("replayed")
    case .refused: APIMetrics.refresh("refused")
    }
    throw Problem(.invalidRefreshToken, headers: [.wwwAuthenticate: "Bearer"])
  }

  /// Ends a login: its access token, and the family of the refresh token where one is given.
  func end(_ principal: Principal, refreshToken: String?) async throws {
    if let tokenID = principal.tokenID {
      try await accounts.revokeToken(tokenID, of: principal.subject, expiresAt: principal.expiresAt + Self.clockLeeway)
    }
    if let hash = refreshToken.flatMap({ OpaqueSecret.hash(presented: $0) }) { try await accounts.endRefresh(hash, now: .now()) }
  }

  private func tokens(_ userID: String, _ refresh: OpaqueSecret, _ now: Timestamp) async throws -> JSONValue {
    [
      "access_token": .text(try await issuer.issue(userID: userID, now: now, lifetime: lifetimes.access)), "token_type": "Bearer",
      "expires_in": .integer(lifetimes.access.components.seconds), "refresh_token": .text(refresh.text),
      "refresh_expires_in": .integer(lifetimes.refresh.components.seconds), "user_id": .text(userID),
    ]
  }
}
