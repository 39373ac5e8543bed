import Foundation
import JWTKit
import Subprocess

@testable import Access

/// Keys of an issuer, and tokens of every kind, good and bad.
enum Keys {
  static let secretText = "0123456789abcdef0123456789abcdef"
  static var secret: TokenSecret {
    get throws {
      guard let secret = TokenSecret(secretText) else { throw Missing() }
      return secret
    }
  }

  struct Missing: Error {}

  /// What a token claims, as JSON text: bad ones cannot be written in Swift's types.
  struct Claims: JWTPayload {
    let members: [String: any Sendable & Encodable]

    init(_ members: [String: any Sendable & Encodable]) { self.members = members }
    init(from decoder: any Decoder) throws { members = [:] }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Name.self)
      for (name, value) in members { try container.encode(value, forKey: Name(stringValue: name)) }
    }

    func verify(using algorithm: some JWTAlgorithm) {}

    private struct Name: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }
  }

  /// Signs by HS256 with any bytes.
  static func hs256(_ claims: [String: any Sendable & Encodable], secret: some DataProtocol = Data(secretText.utf8)) async throws -> String
  {
    try await JWTKeyCollection().add(hmac: HMACKey(from: Data(secret)), digestAlgorithm: .sha256).sign(Claims(claims))
  }

  static func base64URL(_ bytes: some Sequence<UInt8>) -> String { Base64URL.encode(Array(bytes)) }

  /// The token with another header; its signature stays.
  static func reheaded(_ token: String, _ header: String) -> String {
    base64URL(header.utf8) + "." + token.split(separator: ".", omittingEmptySubsequences: false).dropFirst().joined(separator: ".")
  }
}

/// An issuer with one key of each kind under the name of its algorithm and `suffix`.
struct TestIssuer {
  let suffix: String
  let rsa: Insecure.RSA.PrivateKey
  let ec = ES256PrivateKey()
  let ed: EdDSA.PrivateKey

  init(_ suffix: String = "1") async throws {
    self.suffix = suffix
    let made = try await Subprocess.run(.name("openssl"), arguments: ["genrsa", "2048"], output: .string(limit: 16_384), error: .discarded)
    rsa = try Insecure.RSA.PrivateKey(pem: made.standardOutput)
    ed = try EdDSA.PrivateKey()
  }

  var rsaPublicPEM: String { rsa.publicKey.pemRepresentation }

  func sign(_ claims: [String: any Sendable & Encodable], _ algorithm: String, kid: String?) async throws -> String {
    let keys = JWTKeyCollection()
    switch algorithm {
    case "RS256": await keys.add(rsa: rsa, digestAlgorithm: .sha256)
    case "RS512": await keys.add(rsa: rsa, digestAlgorithm: .sha512)
    case "ES256": await keys.add(ecdsa: ec)
    case "EdDSA": await keys.add(eddsa: ed)
    default: throw Keys.Missing()
    }
    return try await keys.sign(Keys.Claims(claims), header: kid.map { ["kid": .string($0)] } ?? [:])
  }

  func sign(_ claims: [String: any Sendable & Encodable], _ algorithm: String = "ES256") async throws -> String {
    try await sign(claims, algorithm, kid: algorithm + suffix)
  }

  /// The key set, with entries that nobody can use among them.
  func keySet() throws -> String {
    let (n, e) = try rsa.publicKey.getKeyPrimitives()
    guard let point = ec.publicKey.parameters else { throw Keys.Missing() }
    let x = Keys.base64URL(ed.publicKey.rawRepresentation)
    return """
      {"keys":[
        {"kty":"oct","kid":"oct","alg":"HS256","k":"\(Keys.base64URL(Keys.secretText.utf8))"},
        {"kty":"RSA","kid":"weird","alg":"RS1024","n":"AQAB","e":"AQAB"}, {"kty":"RSA","kid":"weak","n":"\(Keys.base64URL(n.prefix(128)))","e":"AQAB"},
        {"kty":"RSA","kid":"encrypts","use":"enc","n":"\(Keys.base64URL(n))","e":"\(Keys.base64URL(e))"},
        {"kty":"RSA","kid":"RS256\(suffix)","alg":"RS256","use":"sig","n":"\(Keys.base64URL(n))","e":"\(Keys.base64URL(e))"},
        {"kty":"EC","kid":"ES256\(suffix)","crv":"P-256","x":"\(point.x)","y":"\(point.y)"},
        {"kty":"OKP","kid":"EdDSA\(suffix)","alg":"EdDSA","crv":"Ed25519","x":"\(x)"}
      ]}
      """
  }
}
