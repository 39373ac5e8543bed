internal import FoundationEssentials
internal import JWTKit

/// A key that checks signatures, with the one algorithm that it is good for.
struct SigningKey: Sendable {
  enum Algorithm: String, Sendable { case hs256 = "HS256", rs256 = "RS256", es256 = "ES256", edDSA = "EdDSA" }

  let algorithm: Algorithm
  /// The `kid` under which the issuer publishes it; nil for the shared secret, and where the issuer gives none.
  let id: String?
  /// Holds this key alone, so that nothing in a token's header can lead it to another one.
  private let collection: JWTKeyCollection

  init(secret: TokenSecret) async {
    (algorithm, id) = (.hs256, nil)
    collection = JWTKeyCollection()
    await collection.add(hmac: secret.key, digestAlgorithm: .sha256)
  }

  /// Nil for a key that is not for RS256, ES256 or EdDSA, and for an RSA key of less than 2048 bits.
  init?(_ published: PublishedKey, roleClaim: String?) async {
    guard var jwk = published.jwk, published.use == nil || published.use == "sig", let algorithm = Self.algorithm(of: jwk) else {
      return nil
    }
    self.algorithm = algorithm
    id = jwk.keyIdentifier?.string
    // An issuer that publishes its private keys by mistake gives us no more than the public ones.
    (jwk.privateExponent, jwk.prime1, jwk.prime2) = (nil, nil, nil)
    jwk.algorithm = JWK.Algorithm(rawValue: algorithm.rawValue)
    if id == nil { jwk.keyIdentifier = JWKIdentifier(string: "") }
    let decoder = JSONDecoder()
    if let roleClaim, let key = CodingUserInfoKey.roleClaim { decoder.userInfo[key] = roleClaim }
    collection = JWTKeyCollection(defaultJWTParser: DefaultJWTParser(jsonDecoder: decoder))
    guard (try? await collection.add(jwk: jwk, isDefault: true)) != nil else { return nil }
  }

  /// The claims of a token that this key signed. Throws for any other.
  func claims(of token: String) async throws -> TokenClaims { try await collection.verify(token) }

  /// The claims as a token that this secret signs. Throws for a published key.
  func sign(_ claims: TokenClaims) async throws -> String { try await collection.sign(claims) }

  /// What the issuer says it is for; where it says nothing, what its type and curve are good for.
  private static func algorithm(of jwk: JWK) -> Algorithm? {
    let suited: Algorithm
    switch (jwk.keyType, jwk.curve?.rawValue) {
    case (.rsa, _): suited = .rs256
    case (.ecdsa, "P-256"?): suited = .es256
    case (.octetKeyPair, "Ed25519"?): suited = .edDSA
    default: return nil
    }
    guard let named = jwk.algorithm else { return suited }
    return named.rawValue == suited.rawValue ? suited : nil
  }
}

/// One entry of an issuer's key set (RFC 7517), read so that one that we do not understand spoils no other.
struct PublishedKey: Decodable {
  /// Nil for a type, a curve or an algorithm that the library does not know; symmetric keys are among them.
  let jwk: JWK?
  let use: String?

  private enum CodingKeys: CodingKey { case use }

  init(from decoder: any Decoder) throws {
    use = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .use)
    jwk = try? JWK(from: decoder)
  }

  /// The entries of a key set; throws for a text that is none.
  static func all(in text: [UInt8]) throws -> [PublishedKey] {
    struct KeySet: Decodable { let keys: [PublishedKey] }
    return try JSONDecoder().decode(KeySet.self, from: Data(text)).keys
  }
}
