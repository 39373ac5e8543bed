import Foundation
import HTTPTypes
import Models
import ServiceRuntime
import Synchronization
import Testing

@testable import Access

@Suite struct PublishedKeysTests {
  private final class Clock: Sendable {
    private let instant = Mutex(ContinuousClock.now)
    var now: ContinuousClock.Instant { instant.withLock(\.self) }
    func advance(by duration: Duration) { instant.withLock { $0 += duration } }
  }

  private let clock = Clock()

  private func keys(_ source: KeySetSource) -> PublishedKeys {
    PublishedKeys(source, timing: .init(refreshPeriod: .seconds(300)), logger: quiet, now: { [clock] in clock.now })
  }

  private func verdict(_ keys: PublishedKeys, _ issuer: TestIssuer, _ algorithm: String = "ES256") async throws -> String {
    let token = try await issuer.sign(["sub": "alice", "exp": Timestamp.now().seconds + 60], algorithm)
    switch await TokenVerifier(secret: nil, publishedKeys: keys).verify(token, now: .now()) {
    case .valid: return "valid"
    case .refused: return "refused"
    case .unavailable: return "unavailable"
    }
  }

  @Test func `Keys are fetched from a URL, rotated without a restart, and asked for at most so often`() async throws {
    let (first, second) = (try await TestIssuer("1"), try await TestIssuer("2"))
    try await KeySetServer.run(first.keySet()) { server, url in
      let keys = keys(try #require(KeySetSource.url(checking: url)))
      for algorithm in ["RS256", "ES256", "EdDSA"] { #expect(try await verdict(keys, first, algorithm) == "valid") }
      #expect(server.requests == 1)
      #expect(try await verdict(keys, second) == "refused")
      #expect(server.requests == 1, "an unknown key had just been asked for")
      server.set(try second.keySet())
      clock.advance(by: .seconds(5))
      #expect(try await verdict(keys, second) == "valid")
      #expect(server.requests == 2)
      #expect(try await verdict(keys, first) == "refused")
      for _ in 0..<50 { _ = try await verdict(keys, first) }
      #expect(server.requests == 2)
    }
  }

  @Test func `Many tokens under a new key wait for one request together`() async throws {
    let (first, second) = (try await TestIssuer("1"), try await TestIssuer("2"))
    try await KeySetServer.run(first.keySet()) { server, url in
      let keys = keys(try #require(KeySetSource.url(checking: url)))
      await keys.refresh()
      server.set(try second.keySet())
      clock.advance(by: .seconds(5))
      let token = try await second.sign(["sub": "alice", "exp": Timestamp.now().seconds + 60])
      let verifier = await TokenVerifier(secret: nil, publishedKeys: keys)
      let valid = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<200 { group.addTask { if case .valid = await verifier.verify(token, now: .now()) { true } else { false } } }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(valid == 200 && server.requests == 2)
    }
  }

  @Test func `While the issuer cannot be asked, known keys serve for a day, and unknown ones are for later`() async throws {
    let (first, second) = (try await TestIssuer("1"), try await TestIssuer("2"))
    let good = try first.keySet()
    try await KeySetServer.run(good) { server, url in
      let keys = keys(try #require(KeySetSource.url(checking: url)))
      #expect(try await verdict(keys, first) == "valid")
      let answers: [(HTTPResponse.Status, String)] = [
        (.internalServerError, good), (.notFound, good), (.found, ""), (.ok, "<html>"), (.ok, "{\"keys\":{}}"),
        (.ok, good + String(repeating: " ", count: KeySetSource.lengthMax_bytes)),
      ]
      for (status, body) in answers {
        server.set(body, status: status)
        clock.advance(by: .seconds(60))
        let before = server.requests
        #expect(try await verdict(keys, second) == "unavailable", "\(status)")
        #expect(try await verdict(keys, first) == "valid", "\(status)")
        #expect(server.requests == before + 1)
      }
      clock.advance(by: .seconds(86_400))
      #expect(try await verdict(keys, first) == "unavailable")
      server.set(good)
      clock.advance(by: .seconds(5))
      #expect(try await verdict(keys, first) == "valid")
      server.set("{\"keys\":[]}")
      await keys.refresh()
      #expect(try await verdict(keys, first) == "refused", "an issuer may withdraw every key")
    }
    let nobody = keys(.url("http://127.0.0.1:1/jwks.json"))
    #expect(try await verdict(nobody, first) == "unavailable")
  }

  @Test func `A file is read again when it changes, while the service runs`() async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID()).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let (first, second) = (try await TestIssuer("1"), try await TestIssuer("2"))
    try first.keySet().write(toFile: path, atomically: true, encoding: .utf8)
    let keys = PublishedKeys(.file(path), timing: .init(refreshPeriod: .milliseconds(10), pause: .seconds(3600)), logger: quiet)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await keys.run() }
      let deadline = ContinuousClock.now + .seconds(30)
      while try await verdict(keys, first) != "valid", .now < deadline { await Task.yield() }
      #expect(try await verdict(keys, first) == "valid")
      try second.keySet().write(toFile: path, atomically: true, encoding: .utf8)
      while try await verdict(keys, second) != "valid", .now < deadline { await Task.yield() }
      #expect(try await verdict(keys, second) == "valid")
      #expect(try await verdict(keys, first) == "refused")
      group.cancelAll()
    }
  }

  @Test func `Only an address that nobody can tamper with on the way is taken`() {
    for url in ["https://issuer.example/jwks.json", "http://127.0.0.1:8080/jwks", "http://localhost/jwks", "http://[::1]:80/"] {
      #expect(KeySetSource.url(checking: url) != nil, "\(url)")
    }
    for url in [
      "http://issuer.example/jwks", "http://127.0.0.1.evil.example/", "http://localhost.evil.example", "ftp://issuer.example", "https://",
      "jwks.json", "http://127.0.0.1@evil.example/", "https://a b",
    ] {
      #expect(KeySetSource.url(checking: url) == nil, "\(url)")
    }
  }

  private func settings(_ variables: [String: String]) throws -> TokenSettings {
    try TokenSettings(reading: ConfigurationValues(ConfigurationSources(environment: variables)))
  }

  @Test func `The settings want a secret or a key set, and say so by name`() async throws {
    let all = try settings([
      "MARTLET_JWT_SECRET": Keys.secretText, "MARTLET_JWKS_FILE": "/nowhere.json", "MARTLET_JWT_ISSUER": "i", "MARTLET_JWT_AUDIENCE": "a",
      "MARTLET_JWT_ROLE_CLAIM": "r", "MARTLET_JWT_LEEWAY_SECONDS": "9",
    ])
    #expect(
      all.secrets != nil && all.rules.issuer == "i" && all.rules.audience == "a" && all.rules.roleClaim == "r"
        && all.rules.leeway == .seconds(9))
    let error = await #expect(throws: ConfigurationError.self) { try await all.makeVerifier(nil, logger: quiet) }
    #expect(error?.description.contains("MARTLET_JWKS_FILE") == true && error?.description.contains("/nowhere.json") == true)
    let plain = try settings(["MARTLET_JWT_SECRET": Keys.secretText])
    #expect(plain.rules.leeway == .seconds(5) && plain.keySet == nil)
    let wrong: [([String: String], String)] = [
      ([:], "MARTLET_JWKS_URL"), (["MARTLET_JWT_SECRET": "short"], "MARTLET_JWT_SECRET"),
      (["MARTLET_JWKS_URL": "http://issuer.example/"], "MARTLET_JWKS_URL"),
      (["MARTLET_JWKS_URL": "https://issuer.example/", "MARTLET_JWKS_FILE": "f"], "keep one"),
      (["MARTLET_JWT_SECRET": Keys.secretText, "MARTLET_JWT_LEEWAY_SECONDS": "301"], "MARTLET_JWT_LEEWAY_SECONDS"),
    ]
    for (variables, name) in wrong {
      let error = #expect(throws: ConfigurationError.self) { try settings(variables) }
      #expect(error?.description.contains(name) == true, "\(String(describing: error))")
      #expect(error?.description.contains("short") != true)
    }
  }
}
