internal import JWTKit
internal import Models

/// What a token is good for, by its claim `use`. One kind is never taken where the other is wanted.
package enum TokenUse: String, Sendable { case user, device }

/// Which claims tokens must have beyond their own times.
package struct TokenRules: Sendable {
  /// The `iss` that a token must have; nil for any.
  package var issuer: String?
  /// What a token's `aud` must name; nil for anything.
  package var audience: String?
  /// The claim that holds the role, in tokens of the issuer whose keys are published; nil where roles live in the account alone.
  package var roleClaim: String?
  /// By how much clocks may differ.
  package var leeway: Duration

  package init(issuer: String? = nil, audience: String? = nil, roleClaim: String? = nil, leeway: Duration = .seconds(5)) {
    self.issuer = issuer
    self.audience = audience
    self.roleClaim = roleClaim
    self.leeway = leeway
  }
}

/// The claims that Martlet reads and writes. Times are seconds since 1970 (RFC 7519, section 2, NumericDate).
struct TokenClaims: JWTPayload {
  var sub: String?
  var exp: Double
  var nbf: Double?
  var iat: Double?
  var jti: String?
  var iss: String?
  var aud: AudienceClaim?
  var use: String?
  /// The words in the claim that `CodingUserInfoKey.roleClaim` names.
  var roles: [String] = []

  enum CodingKeys: CodingKey { case sub, exp, nbf, iat, jti, iss, aud, use }

  // Everything is checked against the caller's clock and rules, not the library's.
  func verify(using algorithm: some JWTAlgorithm) {}

  /// The principal of claims whose signature was checked; nil when they break a rule.
  ///
  /// - Parameter secretNumber: see `Principal`; nil where an issuer's own keys signed, so that its role counts.
  func principal(of wanted: TokenUse, under rules: TokenRules, secretNumber: Int?, now: Timestamp) -> Principal? {
    guard (use == TokenUse.device.rawValue) == (wanted == .device) else { return nil }
    guard let sub, !sub.isEmpty, sub.utf8.count <= TokenVerifier.subjectLengthMax_bytes else { return nil }
    guard rules.issuer == nil || rules.issuer == iss else { return nil }
    if let audience = rules.audience { guard aud?.value.contains(audience) == true else { return nil } }
    guard let expiresAt = Timestamp(seconds: exp), now < expiresAt + rules.leeway else { return nil }
    guard (jti?.utf8.count ?? 1) <= TokenVerifier.tokenIDLengthMax_bytes, jti?.isEmpty != true else { return nil }
    for moment in [nbf, iat].compactMap(\.self) {
      guard let begins = Timestamp(seconds: moment), begins <= now + rules.leeway else { return nil }
    }
    let role = secretNumber == nil ? UserRole.allCases.last { roles.contains($0.rawValue) } : nil
    return Principal(
      subject: sub, role: role, issuedAt: iat.flatMap(Timestamp.init(seconds:)), expiresAt: expiresAt, tokenID: jti,
      secretNumber: secretNumber)
  }
}

extension TokenClaims {
  init(from decoder: any Decoder) throws {
    let claims = try decoder.container(keyedBy: CodingKeys.self)
    sub = try claims.decodeIfPresent(String.self, forKey: .sub)
    exp = try claims.decode(Double.self, forKey: .exp)
    nbf = try claims.decodeIfPresent(Double.self, forKey: .nbf)
    iat = try claims.decodeIfPresent(Double.self, forKey: .iat)
    jti = try claims.decodeIfPresent(String.self, forKey: .jti)
    iss = try claims.decodeIfPresent(String.self, forKey: .iss)
    aud = try claims.decodeIfPresent(AudienceClaim.self, forKey: .aud)
    use = try claims.decodeIfPresent(String.self, forKey: .use)
    guard let key = CodingUserInfoKey.roleClaim, let name = decoder.userInfo[key] as? String else { return }
    let others = try decoder.container(keyedBy: ClaimName.self)
    let claim = ClaimName(stringValue: name)
    roles = (try? others.decode([String].self, forKey: claim)) ?? (try? [others.decode(String.self, forKey: claim)]) ?? []
  }
}

extension CodingUserInfoKey {
  /// The name of the claim that holds roles, one word or several.
  static let roleClaim = CodingUserInfoKey(rawValue: "martlet.roleClaim")
}

private struct ClaimName: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Timestamp {
  /// Nil for what is no moment that a token could mean.
  init?(seconds: Double) {
    guard seconds.isFinite, seconds > 0, seconds < 253_402_300_800 else { return nil }
    self.init(microseconds: Int64((seconds * 1_000_000).rounded()))
  }

  var seconds: Double { Double(microseconds) / 1_000_000 }
}
