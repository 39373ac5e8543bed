import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL
import Subprocess

/// `Tests/Connections/server.py`, as a child of the test.
struct ScriptServer: Sendable {
  struct Status: Decodable {
    let done: Bool
    let failures: [String]
  }

  private struct Ports: Decodable {
    let files: Int
    let sockets: Int
  }

  private let ports: Ports
  /// A PEM file with the certificate that it has, and that is its own authority; nil for plain connections.
  let certificate: String?

  /// Runs `body` beside the server, and ends it.
  ///
  /// - Parameter tls: PEM files of certificate and key.
  static func run(tls: (certificate: String, key: String)? = nil, _ body: @escaping @Sendable (ScriptServer) async throws -> Void)
    async throws
  {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let program = tests.appending(path: "Connections/server.py").path(percentEncoded: false)
    _ = try await Subprocess.run(
      .name("env"), arguments: Arguments(["/usr/bin/python3", program] + (tls.map { [$0.certificate, $0.key] } ?? [])), input: .none,
      output: .sequence, error: .currentStandardError
    ) { execution in
      for try await line in execution.standardOutput.strings() {
        try await body(ScriptServer(ports: JSONDecoder().decode(Ports.self, from: Data(line.utf8)), certificate: tls?.certificate))
        try execution.send(signal: .terminate)
      }
    }
  }

  func scripts() async throws -> [ConnectionScript] { try await get("scripts") }
  func status(of script: ConnectionScript) async throws -> Status { try await get("\(script.name)/status") }

  func url(of script: ConnectionScript) -> String { "\(certificate == nil ? "ws" : "wss")://127.0.0.1:\(ports.sockets)/\(script.name)/ws" }
  func api(of script: ConnectionScript) -> String { "\(base)/\(script.name)/api" }

  private var base: String { "\(certificate == nil ? "http" : "https")://127.0.0.1:\(ports.files)" }

  private func get<Answer: Decodable>(_ path: String) async throws -> Answer {
    var request = HTTPClientRequest(url: "\(base)/\(path)")
    if let certificate {
      var tls = TLSConfiguration.makeClientConfiguration()
      tls.trustRoots = .file(certificate)
      request.tlsConfiguration = tls
    }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
    return try JSONDecoder().decode(Answer.self, from: Data(try await response.body.collect(upTo: 1 << 20).readableBytesView))
  }
}
