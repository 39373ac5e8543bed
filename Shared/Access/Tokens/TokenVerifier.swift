internal import JWTKit
package import Models

/// Checks JSON Web Tokens: the signature, by the shared secret (HS256) or an issuer's published keys (RS256, ES256, EdDSA), and the claims.
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

  private let secretKey: SigningKey?
  private let publishedKeys: PublishedKeys?
  private let rules: TokenRules

  /// - Parameters:
  ///   - secret: nil where no token is signed by one.
  ///   - publishedKeys: must run as a service to follow the issuer's rotation.
  package init(secret: TokenSecret?, publishedKeys: PublishedKeys? = nil, rules: TokenRules = TokenRules()) async {
    secretKey = if let secret { await SigningKey(secret: secret) } else { nil }
    self.publishedKeys = publishedKeys
    self.rules = rules
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
    switch await key(for: header) {
    case .found(let key):
      guard let claims = try? await key.claims(of: token),
        let principal = claims.principal(of: use, under: rules, isForeign: key.algorithm != .hs256, now: now)
      else { return .refused(.invalidOrExpiredToken) }
      return .valid(principal)
    case .unknown: return .refused(.invalidOrExpiredToken)
    case .unavailable: return .unavailable
    }
  }

  private func key(for header: Header) async -> PublishedKeys.Lookup {
    if header.algorithm == .hs256 { return secretKey.map(PublishedKeys.Lookup.found) ?? .unknown }
    return await publishedKeys?.find(header.algorithm, id: header.keyID) ?? .unknown
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
