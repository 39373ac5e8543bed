internal import FoundationEssentials
internal import JWTKit
package import Models

/// Makes tokens that our own verifier takes, signed by HS256.
package struct TokenIssuer: Sendable {
  private let keyring: TokenKeyring
  private let rules: TokenRules

  /// - Parameters:
  ///   - keyring: whose first secret signs, as it is at that moment.
  ///   - rules: the verifier's, whose `iss` and `aud` the tokens get.
  package init(keyring: TokenKeyring, rules: TokenRules) {
    self.keyring = keyring
    self.rules = rules
  }

  package init(secret: TokenSecret, rules: TokenRules = TokenRules()) async {
    self.init(keyring: await TokenKeyring(TokenSecrets(secret)), rules: rules)
  }

  /// A token that speaks for the user from `now` on, for `lifetime`.
  package func issue(userID: String, now: Timestamp, lifetime: Duration) async throws -> String {
    try await issue(userID, as: .user, now: now, lifetime: lifetime)
  }

  /// A token that a device proves itself with.
  package func issue(device: ApplianceID, now: Timestamp, lifetime: Duration) async throws -> String {
    try await issue(device.rawValue, as: .device, now: now, lifetime: lifetime)
  }

  /// `iat` has fractions of a second: whether a token is older than a revocation does not hang on the second in which both came about.
  private func issue(_ subject: String, as use: TokenUse, now: Timestamp, lifetime: Duration) async throws -> String {
    try await keyring.signing.sign(
      TokenClaims(
        sub: subject, exp: (now + lifetime).seconds.rounded(.down), nbf: now.seconds.rounded(.down), iat: now.seconds,
        jti: UUID().uuidString.lowercased(), iss: rules.issuer, aud: rules.audience.map { AudienceClaim(value: [$0]) },
        use: use.rawValue))
  }
}
