import Foundation
import JWTKit
import Models
import Testing

@testable import Access

@Suite struct TokenVerifierTests {
  typealias Members = [String: any Sendable & Encodable]
  private let now = Timestamp(microseconds: 1_771_072_200_000_000)
  private var seconds: Double { Double(now.microseconds / 1_000_000) }
  private var claims: Members { ["sub": "alice", "exp": seconds + 60] }
  private let rules = TokenRules(issuer: "https://issuer.example", audience: "martlet", roleClaim: "roles")

  private func verifier(_ rules: TokenRules = TokenRules(), of issuer: TestIssuer? = nil, hasSecret: Bool = true) async throws
    -> TokenVerifier
  {
    var keys: PublishedKeys?
    if let issuer {
      let path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID()).json").path
      try issuer.keySet().write(toFile: path, atomically: true, encoding: .utf8)
      defer { try? FileManager.default.removeItem(atPath: path) }
      // Its clock stands still, so that no unknown name has the file, which is gone, read again.
      let start = ContinuousClock.now
      let read = PublishedKeys(
        .file(path), timing: .init(refreshPeriod: .seconds(600)), roleClaim: rules.roleClaim, logger: quiet, now: { start })
      await read.refresh()
      keys = read
    }
    return await TokenVerifier(secret: hasSecret ? try Keys.secret : nil, publishedKeys: keys, rules: rules)
  }

  private func subject(_ verdict: TokenVerifier.Verdict) -> String? {
    if case .valid(let principal) = verdict { principal.subject } else { nil }
  }

  @Test func `A token that was issued speaks for its user until it expires, give or take the clocks`() async throws {
    let issuer = await TokenIssuer(secret: try Keys.secret)
    let issuedAt = now + .microseconds(123_457)
    let token = try await issuer.issue(userID: "alice", now: issuedAt, lifetime: .seconds(900))
    let verifier = try await verifier()
    guard case .valid(let principal) = await verifier.verify(token, now: issuedAt) else {
      Issue.record("the token is not taken")
      return
    }
    #expect(principal.subject == "alice" && principal.role == nil && principal.tokenID != nil)
    #expect(principal.issuedAt == issuedAt && principal.expiresAt == now + .seconds(900))
    #expect(subject(await verifier.verify(token, now: now + .seconds(904))) == "alice")
    #expect(await verifier.verify(token, now: now + .seconds(906)) == .refused(.invalidOrExpiredToken))
    #expect(subject(await verifier.verify(token, now: now + .seconds(-4))) == "alice")
    #expect(await verifier.verify(token, now: now + .seconds(-10)) == .refused(.invalidOrExpiredToken))
    #expect(await verifier.verify("", now: now) == .refused(.authenticationRequired))
  }

  @Test func `Every claim that breaks a rule is refused, and those that break none are not`() async throws {
    let verifier = try await verifier(rules)
    let good: Members = claims.merging(["iss": "https://issuer.example", "aud": "martlet", "jti": "t1"]) { $1 }
    let taken: [Members] = [
      [:], ["aud": ["other", "martlet"]], ["nbf": seconds + 4], ["nbf": seconds - 9, "iat": seconds - 9], ["use": "user"],
      ["use": "anything"],
      ["extra": ["deep": 1]], ["sub": String(repeating: "a", count: 128)],
    ]
    for changes in taken {
      let token = try await Keys.hs256(good.merging(changes) { $1 })
      #expect(subject(await verifier.verify(token, now: now)) != nil, "\(changes)")
    }
    let refused: [Members] = [
      ["sub": ""], ["sub": 7], ["sub": String(repeating: "a", count: 129)], ["exp": seconds - 6], ["exp": "soon"], ["exp": -1],
      ["exp": 1e300],
      ["nbf": seconds + 6], ["nbf": 1e300], ["iat": seconds + 6], ["iss": "https://other.example"], ["iss": ["https://issuer.example"]],
      ["aud": "other"], ["aud": ["other"]], ["aud": 1], ["use": "device"], ["jti": ""], ["jti": String(repeating: "j", count: 256)],
    ]
    for changes in refused {
      let token = try await Keys.hs256(good.merging(changes) { $1 })
      #expect(await verifier.verify(token, now: now) == .refused(.invalidOrExpiredToken), "\(changes)")
    }
    for name in ["sub", "exp", "iss", "aud"] {
      let token = try await Keys.hs256(good.filter { $0.key != name })
      #expect(await verifier.verify(token, now: now) == .refused(.invalidOrExpiredToken), "without \(name)")
    }
  }

  @Test func `What is tampered with, cut, oversized or signed by another secret is refused`() async throws {
    let verifier = try await verifier()
    let good = try await Keys.hs256(claims)
    #expect(subject(await verifier.verify(good, now: now)) == "alice")
    let parts = good.split(separator: ".").map(String.init)
    let forged = Keys.base64URL("{\"sub\":\"root\",\"exp\":\(seconds + 60)}".utf8)
    var bad = [
      "a.b.c", "..", ".", "a", good + "a", good + ".", good + "." + parts[2], "\(parts[0]).\(forged).\(parts[2])",
      "\(parts[0]).\(parts[1]).",
      "\(parts[0]).\(parts[1])", " " + good, good + "\n", String(repeating: "a", count: 10_000),
      try await Keys.hs256(claims, secret: Data(String(repeating: "x", count: 64).utf8)),
      try await Keys.hs256(claims.merging(["pad": String(repeating: "p", count: 9000)]) { $1 }),
    ]
    bad += (0..<parts[2].count - 1).map { cut in "\(parts[0]).\(parts[1]).\(parts[2].prefix(cut))" }
    for token in bad { #expect(await verifier.verify(token, now: now) == .refused(.invalidOrExpiredToken), "\(token.prefix(200))") }
  }

  @Test(arguments: ["RS256", "ES256", "EdDSA"])
  func `A token of an issuer is taken by its published key, by name or as the only one of its kind`(_ algorithm: String) async throws {
    let issuer = try await TestIssuer()
    let verifier = try await verifier(of: issuer, hasSecret: false)
    #expect(subject(await verifier.verify(try await issuer.sign(claims, algorithm), now: now)) == "alice")
    #expect(subject(await verifier.verify(try await issuer.sign(claims, algorithm, kid: nil), now: now)) == "alice")
    let stranger = try await TestIssuer()
    for token in [
      try await stranger.sign(claims, algorithm), try await issuer.sign(claims, algorithm, kid: "other"),
      try await issuer.sign(claims, algorithm, kid: ""), try await issuer.sign(claims.merging(["exp": seconds - 60]) { $1 }, algorithm),
    ] {
      #expect(await verifier.verify(token, now: now) == .refused(.invalidOrExpiredToken))
    }
  }

  @Test func `A key is used with its own algorithm and no other`() async throws {
    let issuer = try await TestIssuer()
    let both = try await verifier(of: issuer)
    let published = try await verifier(of: issuer, hasSecret: false)
    let secretOnly = try await verifier()
    let (modulus, _) = try issuer.rsa.publicKey.getKeyPrimitives()
    let pem = issuer.rsaPublicPEM
    let good = try await issuer.sign(claims, "RS256")
    var bad: [String] = []
    // The public key taken for a secret, in each form in which somebody might.
    for secret in [
      Data(pem.utf8), Data((pem + "\n").utf8), modulus, Data(issuer.ec.publicKey.pemRepresentation.utf8),
      issuer.ed.publicKey.rawRepresentation,
    ] {
      let token = try await Keys.hs256(claims, secret: secret)
      bad += [token] + ["RS2561", "ES2561", "EdDSA1"].map { Keys.reheaded(token, #"{"alg":"HS256","kid":"\#($0)"}"#) }
      // Signed over the very header it shows.
      bad.append(
        try await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256).sign(
          Keys.Claims(claims), header: ["kid": "RS2561"]))
    }
    // A symmetric key in the set is none.
    bad.append(
      try await JWTKeyCollection().add(hmac: HMACKey(from: Keys.secretText), digestAlgorithm: .sha256).sign(
        Keys.Claims(claims), header: ["kid": "oct", "alg": "HS512"]))
    for header in [
      #"{"alg":"none"}"#, #"{"alg":"None","kid":"RS2561"}"#, #"{"alg":"NONE"}"#, #"{}"#, #"{"alg":null}"#, #"{"alg":["RS256"]}"#,
      #"{"alg":"HS512"}"#,
      #"{"alg":"RS512","kid":"RS2561"}"#, #"{"alg":"PS256","kid":"RS2561"}"#, #"{"alg":"ES256","kid":"RS2561"}"#,
      #"{"alg":"EdDSA","kid":"RS2561"}"#,
      #"{"alg":"HS256","kid":"RS2561"}"#, #"{"alg":"rs256","kid":"RS2561"}"#, #"{"alg":"RS256","kid":"ES2561"}"#,
      #"{"alg":"RS256","kid":"encrypts"}"#,
      #"{"alg":"RS256","kid":"weak"}"#, #"{"alg":"RS256","kid":"RS2561","crit":["b64"],"b64":false}"#,
      #"{"alg":"RS256","alg":"none","kid":"RS2561"}"#,
      #"{"alg":"RS256","jku":"https://evil.example/jwks.json","kid":"mine"}"#, "[]", "",
    ] {
      bad += [
        Keys.reheaded(good, header),
        Keys.reheaded(good, header).split(separator: ".", omittingEmptySubsequences: false).prefix(2).joined(separator: ".") + ".",
      ]
    }
    bad.append(try await issuer.sign(claims, "RS512", kid: "RS2561"))
    for token in bad {
      for verifier in [both, published, secretOnly] {
        #expect(await verifier.verify(token, now: now) == .refused(.invalidOrExpiredToken), "\(token)")
      }
    }
    #expect(subject(await both.verify(good, now: now)) == "alice")
    #expect(await secretOnly.verify(good, now: now) == .refused(.invalidOrExpiredToken))
    #expect(await published.verify(try await Keys.hs256(claims), now: now) == .refused(.invalidOrExpiredToken))
  }

  @Test(arguments: ["none", "HS512", "RS256"])
  func `A header that names another algorithm is refused even when the signature over it is by our secret`(algorithm: String) async throws {
    func signed(_ algorithm: String) async throws -> String {
      let text =
        Keys.base64URL("{\"alg\":\"\(algorithm)\"}".utf8) + "." + Keys.base64URL("{\"sub\":\"alice\",\"exp\":\(seconds + 60)}".utf8)
      let key = try await JWTKeyCollection().add(hmac: HMACKey(from: Keys.secretText), digestAlgorithm: .sha256).getKey()
      return text + "." + Keys.base64URL(try key.sign(Array(text.utf8)))
    }
    let verifier = try await verifier()
    #expect(subject(await verifier.verify(try await signed("HS256"), now: now)) == "alice")
    #expect(await verifier.verify(try await signed(algorithm), now: now) == .refused(.invalidOrExpiredToken))
  }

  @Test func `The issuer's role counts, the highest that it names; our own tokens bring none`() async throws {
    let issuer = try await TestIssuer()
    let verifier = try await verifier(rules, of: issuer)
    let good: Members = claims.merging(["iss": "https://issuer.example", "aud": "martlet"]) { $1 }
    let cases: [(any Sendable & Encodable, UserRole?)] = [
      ("admin", .admin), ("operator", .operator_), (["viewer", "operator", "baker"], .operator_), ("baker", nil), ([String](), nil),
      (3, nil),
    ]
    for (claim, role) in cases {
      let members = good.merging(["roles": claim]) { $1 }
      guard case .valid(let foreign) = await verifier.verify(try await issuer.sign(members), now: now),
        case .valid(let own) = await verifier.verify(try await Keys.hs256(members), now: now)
      else {
        Issue.record("\(claim) is not taken")
        continue
      }
      #expect(foreign.role == role && own.role == nil, "\(claim)")
    }
  }

  @Test func `A device's token is none of a user's, nor the other way`() async throws {
    let issuer = await TokenIssuer(secret: try Keys.secret, rules: rules)
    let verifier = try await verifier(rules)
    let user = try await issuer.issue(userID: "alice", now: now, lifetime: .seconds(60))
    let device = try await issuer.issue(device: ApplianceID("EPIC-001"), now: now, lifetime: .seconds(60))
    #expect(subject(await verifier.verify(user, now: now)) == "alice")
    #expect(subject(await verifier.verify(device, as: .device, now: now)) == "EPIC-001")
    #expect(await verifier.verify(user, as: .device, now: now) == .refused(.invalidOrExpiredToken))
    #expect(await verifier.verify(device, now: now) == .refused(.invalidOrExpiredToken))
    let plain = try await Keys.hs256(claims.merging(["iss": "https://issuer.example", "aud": "martlet"]) { $1 })
    #expect(await verifier.verify(plain, as: .device, now: now) == .refused(.invalidOrExpiredToken))
  }

  @Test func `A short secret is none, and a secret never prints itself`() throws {
    #expect(TokenSecret(String(repeating: "s", count: 31)) == nil)
    #expect(!"\(try Keys.secret)".contains("0123"))
    #expect(!"\(OpaqueSecret())".contains(OpaqueSecret().text.prefix(4)))
  }

  @Test func `Refusals are told in the document's words`() {
    #expect(
      AccessError.allCases.map(\.text) == [
        "Authentication required", "Invalid or expired token", "Token has been revoked", "User not found",
      ])
  }
}
