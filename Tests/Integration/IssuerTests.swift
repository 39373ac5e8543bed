import Foundation
import LocalStack
import Testing

/// Tokens of an issuer that is none of ours (PyJWT), by keys that it publishes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct IssuerTests {
  private enum Publication: CaseIterable {
    case file, url
  }

  private static let (good, bad) = ("connected alice, 200", "1008 Invalid or expired token, 401")
  private static let expected = [
    "the first: \(good)", "RS2561: \(good)", "ES2561: \(good)", "EdDSA1: \(good)", "alg none: \(bad)", "HS256 by the public key: \(bad)",
    "another issuer: \(bad)", "another audience: \(bad)", "expired: \(bad)", "not yet: \(bad)", "a key that is not published: \(bad)",
    "RS2562 after the change: \(good)", "RS2561 after the change: \(bad)",
  ]

  @Test(arguments: Publication.allCases)
  private func `Gateway and API take an issuer's tokens by its published keys, refuse all others, and follow a change of the keys`(
    publication: Publication
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "issuer-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await Self.issuer("make", folder)
    // Where the issuer serves its key set, once it does.
    let port = try Ports.free()
    var environment = ["MARTLET_JWT_ISSUER": "https://accounts.example.org", "MARTLET_JWT_AUDIENCE": "martlet"]
    switch publication {
    case .file: environment["MARTLET_JWKS_FILE"] = "\(folder)/jwks.json"
    case .url: environment["MARTLET_JWKS_URL"] = "http://127.0.0.1:\(port)/jwks.json"
    }
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1, environment: environment) { backbone in
      let api = try backbone.stack.service("api-1")
      var arguments = try ["check", folder, backbone.gateway(1), "http://\(api.host):\(api.port)"]
      // The services have been running without it until here.
      if publication == .url { arguments.append(String(port)) }
      let seen = try await Self.issuer(arguments)
      #expect(seen.split(separator: "\n").map(String.init) == Self.expected)
    }
  }

  @discardableResult
  private static func issuer(_ arguments: String...) async throws -> String { try await issuer(arguments) }

  private static func issuer(_ arguments: [String]) async throws -> String {
    try await Tool.run(["/usr/bin/python3", Clients.path("issuer.py")] + arguments, limit: .seconds(240))
  }
}
