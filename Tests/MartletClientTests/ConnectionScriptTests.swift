import Foundation
import LocalStack
import Testing

@testable import MartletClient

/// Plays the connection scripts that the JavaScript client is played, too.
@Suite(.timeLimit(.minutes(5))) struct ConnectionScriptTests {
  /// Scripts at a time.
  private static let lanes = 8

  private static func play(_ scripts: [ConnectionScript], _ server: ScriptServer) async throws {
    var waiting = scripts[...]
    try await withThrowingTaskGroup(of: Void.self) { group in
      func playNext() {
        guard let script = waiting.popFirst() else { return }
        group.addTask {
          for failure in try await ScriptPlayer(server: server, script: script).play() { Issue.record("\(script.name): \(failure)") }
        }
      }
      for _ in 0..<lanes { playNext() }
      while try await group.next() != nil { playNext() }
    }
  }

  @Test func `Every connection script is played as it is written`() async throws {
    try await ScriptServer.run { server in
      let scripts = try await server.scripts()
      #expect(!scripts.isEmpty)
      try await Self.play(scripts, server)
    }
  }

  /// A certificate for this machine that is its own authority.
  private func withCertificate(_ body: (_ certificate: String, _ key: String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-client-\(UUID().uuidString)").path()
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (certificate, key) = ("\(folder)/server.pem", "\(folder)/server.key")
    try await Tool.run([
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
      "/CN=localhost",
      "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
    ])
    try await body(certificate, key)
  }

  @Test func `By TLS all is the same`() async throws {
    try await withCertificate { certificate, key in
      try await ScriptServer.run(tls: (certificate, key)) { server in
        try await Self.play(try await server.scripts().filter { ["drop", "polls"].contains($0.name) }, server)
      }
    }
  }

  @Test func `A server whose authority is unknown is not spoken to`() async throws {
    try await withCertificate { certificate, key in
      try await ScriptServer.run(tls: (certificate, key)) { server in
        let script = try #require(try await server.scripts().first { $0.name == "subscribes" })
        let endpoint = try Endpoint(server.url(of: script), schemes: ["ws": 80, "wss": 443], authorities: nil)
        await #expect(throws: (any Error).self) { try await WebSocket(endpoint).run(token: "t1") { _ in } }
      }
    }
  }
}
