import Foundation

/// A throwaway certificate authority and one server certificate for `localhost` and `127.0.0.1`.
struct Certificates: Sendable {
  /// PEM files.
  let authority: String
  let certificate: String
  let key: String

  init(in folder: StackFolder) async throws {
    let home = try folder.makePrivate("tls")
    (authority, certificate, key) = ("\(home)/ca.pem", "\(home)/server.pem", "\(home)/server.key")
    guard !FileManager.default.fileExists(atPath: certificate) else { return }
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509", "-days", "30"]
    try await Tool.run(
      ["openssl", "req"] + elliptic + ["-subj", "/CN=Martlet local authority", "-keyout", "\(home)/ca.key", "-out", authority])
    try await Tool.run(
      ["openssl", "req"] + elliptic + [
        "-CA", authority, "-CAkey", "\(home)/ca.key", "-subj", "/CN=localhost", "-addext", names,
        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate,
      ])
  }
}
