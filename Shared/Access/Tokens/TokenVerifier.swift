internal import JWTKit
package import Models

/// Checks JSON Web Tokens: the signature, by the shared secrets (HS256) or an issuer's published keys (RS256, ES256, EdDSA), and the claims.
///
/// The algorithm in a token's header only chooses among keys that are made for it: a public key is never used as a secret, and `none` chooses nothing.
package struct TokenVerifier: Sendable {
  package enum Verdict: Hashable, Sendable {
    case valid(Principal)
    case refused(AccessError)
    /// The issuer's keys cannot be read now.
    case unavailable
  }

  /// Longer tokens are refused unread.
  package static let lengthMax_bytes = 8192
  /// Longer names are in no database of ours.
  package static let subjectLengthMax_bytes = 128
  package static let tokenIDLengthMax_bytes = 255

  private let keyring: TokenKeyring?
  private let publishedKeys: PublishedKeys?
  private let rules: TokenRules

  /// - Parameters:
  ///   - keyring: nil where no token is signed by a secret; must run as a service to follow their rotation.
  ///   - publishedKeys: must run as a service to follow the issuer's rotation.
  package init(keyring: TokenKeyring?, publishedKeys: PublishedKeys?, rules: TokenRules) {
    self.keyring = keyring
    self.publishedKeys = publishedKeys
    self.rules = rules
  }

  package init(secret: TokenSecret?, publishedKeys: PublishedKeys? = nil, rules: TokenRules = TokenRules()) async {
    let keyring: TokenKeyring? = if let secret { await TokenKeyring(TokenSecrets(secret)) } else { nil }
    self.init(keyring: keyring, publishedKeys: publishedKeys, rules: rules)
  }

  /// The principal behind `token` at the moment `now`.
  ///
  /// An empty token is refused with `.authenticationRequired`, and everything else that is wrong with `.invalidOrExpiredToken`: which of the
  /// checks failed is nobody's business outside.
  ///
  /// - Parameter use: who is wanted; for a device, the principal's subject is the appliance's id.
  package func verify(_ token: String, as use: TokenUse = .user, now: Timestamp) async -> Verdict {
    guard !token.isEmpty else { return .refused(.authenticationRequired) }
    guard token.utf8.count <= Self.lengthMax_bytes, let header = Header(of: token) else { return .refused(.invalidOrExpiredToken) }
    guard header.algorithm != .hs256 else { return await verifyBySecret(token, as: use, now: now) }
    switch await publishedKeys?.find(header.algorithm, id: header.keyID) {
    case .found(let key): return verdict(on: try? await key.claims(of: token), nil, use, now)
    case .unavailable: return .unavailable
    case .unknown, nil: return .refused(.invalidOrExpiredToken)
    }
  }

  /// Whether the secret that signed the principal's token is still one of ours. Always so where no secret did.
  func stands(behind principal: Principal) async -> Bool {
    guard let keyring, let number = principal.secretNumber else { return true }
    return await keyring.holds(number)
  }

  /// A token does not say which secret signed it: at most `TokenSecrets.countMax` are tried.
  private func verifyBySecret(_ token: String, as use: TokenUse, now: Timestamp) async -> Verdict {
    for entry in await keyring?.entries ?? [] {
      if let claims = try? await entry.key.claims(of: token) { return verdict(on: claims, entry.number, use, now) }
    }
    return .refused(.invalidOrExpiredToken)
  }

  private func verdict(on claims: TokenClaims?, _ secretNumber: Int?, _ use: TokenUse, _ now: Timestamp) -> Verdict {
    let principal = claims?.principal(of: use, under: rules, secretNumber: secretNumber, now: now)
    return principal.map(Verdict.valid) ?? .refused(.invalidOrExpiredToken)
  }

  /// What a token's header says, before any of it is believed.
  private struct Header {
    let algorithm: SigningKey.Algorithm
    let keyID: String?

    /// Nil for what is no header, names no algorithm of ours, or wants something understood that is not (`crit`; RFC 7515, section 4.1.11).
    init?(of token: String) {
      guard let text = Base64URL.decode(token.prefix { $0 != "." }), let fields = try? JSONObject(parsing: text), !fields.contains("crit"),
        let algorithm = fields.string("alg").flatMap(SigningKey.Algorithm.init)
      else { return nil }
      self.algorithm = algorithm
      keyID = fields.string("kid")
    }
  }
}
