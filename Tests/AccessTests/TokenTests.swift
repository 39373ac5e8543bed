import Access
import Foundation
import JWTKit
import Models
import Testing

@Suite struct TokenTests {
  private static let secretText = "0123456789abcdef0123456789abcdef"
  private let now = Timestamp(microseconds: 1_771_072_200_000_000)
  private var seconds: Double { Double(now.microseconds / 1_000_000) }

  private struct Claims: JWTPayload {
    var sub: String?
    var exp: Double?
    var nbf: Double?
    func verify(using algorithm: some JWTAlgorithm) {}
  }

  private func verifier() async throws -> TokenVerifier { await TokenVerifier(secret: try #require(TokenSecret(Self.secretText))) }

  private func token(_ claims: Claims, secret: String = secretText, digest: DigestAlgorithm = .sha256) async throws -> String {
    let keys = JWTKeyCollection()
    await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: digest)
    return try await keys.sign(claims)
  }

  @Test func `A token that was issued speaks for its user until it expires`() async throws {
    let issuer = await TokenIssuer(secret: try #require(TokenSecret(Self.secretText)))
    let token = try await issuer.issue(userID: "alice", now: now, lifetime: .seconds(900))
    let verifier = try await verifier()
    let principal = try await verifier.verify(token, now: now)
    #expect(principal.subject == "alice")
    #expect(principal.expiresAt == now + .seconds(900))
    #expect(principal.tokenID != nil)
    _ = try await verifier.verify(token, now: now + .seconds(904))
    await #expect(throws: AccessError.invalidOrExpiredToken) { try await verifier.verify(token, now: now + .seconds(906)) }
    await #expect(throws: AccessError.invalidOrExpiredToken) { try await verifier.verify(token, now: now + .seconds(-10)) }
  }

  @Test func `No token is told apart from a bad one`() async throws {
    let verifier = try await verifier()
    await #expect(throws: AccessError.authenticationRequired) { try await verifier.verify("", now: now) }
  }

  @Test func `A token without subject or expiry, or with times that are none, is refused`() async throws {
    let verifier = try await verifier()
    for claims in [
      Claims(sub: nil, exp: seconds + 60), Claims(sub: "", exp: seconds + 60), Claims(sub: "a", exp: nil), Claims(sub: "a", exp: -1),
      Claims(sub: "a", exp: 1e300), Claims(sub: "a", exp: seconds + 60, nbf: 1e300),
      Claims(sub: String(repeating: "a", count: 129), exp: seconds + 60),
    ] {
      let token = try await token(claims)
      await #expect(throws: AccessError.invalidOrExpiredToken) { try await verifier.verify(token, now: now) }
    }
  }

  @Test func `Another secret, another algorithm and every tampering are refused`() async throws {
    let verifier = try await verifier()
    let claims = Claims(sub: "alice", exp: seconds + 60)
    let good = try await token(claims)
    _ = try await verifier.verify(good, now: now)
    var bad = [
      try await token(claims, secret: String(repeating: "x", count: 64)), String(repeating: "a", count: 10_000), "a.b.c", "..", good + "a",
    ]
    bad.append(try await token(claims, secret: Self.secretText + Self.secretText, digest: .sha512))
    let parts = good.split(separator: ".").map(String.init)
    for header in [#"{"alg":"none"}"#, #"{"alg":"HS512","typ":"JWT"}"#, #"{"alg":"RS256"}"#, #"{}"#] {
      let encoded = Data(header.utf8).base64EncodedString().replacing("=", with: "")
      bad += ["\(encoded).\(parts[1]).\(parts[2])", "\(encoded).\(parts[1])."]
    }
    for token in bad {
      await #expect(throws: AccessError.invalidOrExpiredToken) { try await verifier.verify(token, now: now) }
    }
  }

  @Test(arguments: ["none", "HS512", "RS256"])
  func `A header that names another algorithm is refused even when the signature is ours`(algorithm: String) async throws {
    let keys = JWTKeyCollection()
    await keys.add(hmac: HMACKey(from: Self.secretText), digestAlgorithm: .sha256)
    func base64URL(_ bytes: some Sequence<UInt8>) -> String {
      Data(bytes).base64EncodedString().replacing("=", with: "").replacing("+", with: "-").replacing("/", with: "_")
    }
    func signed(_ algorithm: String) async throws -> String {
      let text =
        base64URL(Array("{\"alg\":\"\(algorithm)\"}".utf8)) + "." + base64URL(Array("{\"sub\":\"alice\",\"exp\":\(seconds + 60)}".utf8))
      return try await text + "." + base64URL(keys.getKey().sign(Array(text.utf8)))
    }
    let verifier = try await verifier()
    #expect(try await verifier.verify(try await signed("HS256"), now: now).subject == "alice")
    let token = try await signed(algorithm)
    await #expect(throws: AccessError.invalidOrExpiredToken) { try await verifier.verify(token, now: now) }
  }

  @Test func `A short secret is none, and a secret never prints itself`() throws {
    #expect(TokenSecret(String(repeating: "s", count: 31)) == nil)
    #expect(!"\(try #require(TokenSecret(Self.secretText)))".contains("0123"))
  }

  @Test func `Refusals are told in the document's words`() {
    #expect(
      AccessError.allCases.map(\.text) == [
        "Authentication required", "Invalid or expired token", "Token has been revoked", "User not found",
      ])
  }
}
