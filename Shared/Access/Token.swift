internal import Foundation
internal import JWTKit
package import Models

/// The shared secret that signs tokens with HS256. It never prints itself.
package struct TokenSecret: Sendable, CustomStringConvertible {
  /// RFC 7518, section 3.2: a key at least as long as the hash.
  package static let lengthMin_bytes = 32
  let bytes: [UInt8]

  /// Nil for a secret shorter than `lengthMin_bytes`.
  package init?(_ secret: String) {
    bytes = Array(secret.utf8)
    guard bytes.count >= Self.lengthMin_bytes else { return nil }
  }

  package var description: String { "TokenSecret(…)" }

  var key: HMACKey { HMACKey(from: bytes) }
}

/// Checks JSON Web Tokens: signature (HS256 and nothing else), `exp` and `nbf` with a leeway for clocks, `sub`.
package struct TokenVerifier: Sendable {
  /// Longer tokens are refused unread.
  package static let lengthMax_bytes = 8192

  private let keys = JWTKeyCollection()
  private let leeway: Duration

  package init(secret: TokenSecret, leeway: Duration = .seconds(5)) async {
    await keys.add(hmac: secret.key, digestAlgorithm: .sha256)
    self.leeway = leeway
  }

  /// The principal behind `token` at the moment `now`.
  ///
  /// Throws `.authenticationRequired` for an empty token and `.invalidOrExpiredToken` for everything else that is wrong; which of the
  /// checks failed is nobody's business outside.
  package func verify(_ token: String, now: Timestamp) async throws(AccessError) -> Principal {
    guard !token.isEmpty else { throw .authenticationRequired }
    guard token.utf8.count <= Self.lengthMax_bytes, Self.namesOurAlgorithm(token),
      let claims = try? await keys.verify(token, as: Claims.self),
      let expiresAt = Timestamp(claims.exp), now < expiresAt + leeway,
      let userID = claims.sub, !userID.isEmpty, userID.utf8.count <= Self.userIDLengthMax_bytes
    else { throw .invalidOrExpiredToken }
    if let notBefore = claims.nbf {
      guard let moment = Timestamp(notBefore), moment <= now + leeway else { throw .invalidOrExpiredToken }
    }
    return Principal(
      subject: userID, issuedAt: claims.iat.flatMap(Timestamp.init), expiresAt: expiresAt, tokenID: claims.jti)
  }

  /// Longer names are in no database of ours.
  package static let userIDLengthMax_bytes = 128

  /// The library checks the signature with the key's own algorithm whatever the header says; a header that says something else is refused here.
  private static func namesOurAlgorithm(_ token: String) -> Bool {
    let header = String(token.prefix { $0 != "." }).replacing("-", with: "+").replacing("_", with: "/")
    let padded = header + String(repeating: "=", count: (4 - header.utf8.count % 4) % 4)
    guard let text = Data(base64Encoded: padded), let fields = try? JSONObject(parsing: Array(text)) else { return false }
    return fields.string("alg") == "HS256"
  }
}

/// Makes tokens, for `martletctl token` and tests.
package struct TokenIssuer: Sendable {
  private let keys = JWTKeyCollection()

  package init(secret: TokenSecret) async {
    await keys.add(hmac: secret.key, digestAlgorithm: .sha256)
  }

  /// A token for `userID` that begins now and lives for `lifetime`.
  package func issue(userID: String, now: Timestamp, lifetime: Duration) async throws -> String {
    try await keys.sign(
      Claims(sub: userID, exp: (now + lifetime).seconds, nbf: now.seconds, iat: now.seconds, jti: UUID().uuidString.lowercased()))
  }
}

/// The claims that Martlet reads. Times are seconds since 1970 (RFC 7519, section 2, NumericDate).
private struct Claims: JWTPayload {
  var sub: String?
  var exp: Double
  var nbf: Double?
  var iat: Double?
  var jti: String?

  // Times are checked against the caller's clock, not the library's.
  func verify(using algorithm: some JWTAlgorithm) {}
}

extension Timestamp {
  /// Nil for what is no moment that a token could mean.
  fileprivate init?(_ seconds: Double) {
    guard seconds.isFinite, seconds > 0, seconds < 253_402_300_800 else { return nil }
    self.init(microseconds: Int64(seconds * 1_000_000))
  }

  fileprivate var seconds: Double { (Double(microseconds) / 1_000_000).rounded(.down) }
}
