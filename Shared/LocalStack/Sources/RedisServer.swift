/// Redis with an append-only file synced at every write, and one user per service.
package struct RedisServer: StackPart {
  /// The users of `deploy/redis/users.acl`.
  package enum User: String, Sendable, CaseIterable {
    case gateway, ingest, persister, rules, api, signaling
    /// May do everything: `martletctl`, tests.
    case admin
  }

  package let host = "127.0.0.1"
  package let port: Int
  /// The TLS listener and the certificate authority to trust, if the stack was asked for TLS.
  package let tls: (port: Int, caFile: String)?
  private let folder: StackFolder
  private let passwords: [User: String]
  let launch: Launch
  let remedy = "See whether the port is taken or the disk is full, then start it anew."

  init(folder: StackFolder, memoryBytesMax: Int, certificates: Certificates?) throws {
    self.folder = folder
    port = try Ports.free()
    passwords = try Dictionary(uniqueKeysWithValues: User.allCases.map { ($0, try folder.secret("redis_\($0.rawValue)")) })
    let home = try folder.makePrivate("redis")
    let users = Dictionary(uniqueKeysWithValues: passwords.map { ("REDIS_\($0.rawValue.uppercased())_PASSWORD", $1) })
    try folder.writePrivate(DeployFiles.render("redis/users.acl.template", users), to: "\(home)/users.acl")
    var command = [
      "redis-server", try DeployFiles.path("redis/redis.conf"), "--bind", host, "--port", String(port), "--dir", home,
      "--aclfile", "\(home)/users.acl", "--maxmemory", String(memoryBytesMax),
    ]
    if let certificates {
      let tlsPort = try Ports.free()
      tls = (tlsPort, certificates.authority)
      command += [
        "--tls-port", String(tlsPort), "--tls-cert-file", certificates.certificate, "--tls-key-file", certificates.key,
        "--tls-ca-cert-file", certificates.authority, "--tls-auth-clients", "no",
      ]
    } else {
      tls = nil
    }
    launch = Launch(name: StackServer.redis.rawValue, command: command, folder: home, log: folder.log(StackServer.redis.rawValue))
  }

  /// The address for a user, without the password: `redis://gateway@127.0.0.1:20123/0`.
  package func url(_ user: User) -> String { "redis://\(user.rawValue)@\(host):\(port)/0" }

  /// The same through the TLS listener (`rediss://`), for the name `localhost`; nil without TLS.
  package func tlsURL(_ user: User) -> String? { tls.map { "rediss://\(user.rawValue)@localhost:\($0.port)/0" } }

  package func password(_ user: User) -> String { passwords[user] ?? "" }

  /// The file that holds the user's password.
  package func passwordFile(_ user: User) -> String { folder.secretFile("redis_\(user.rawValue)") }

  /// Runs one command with `redis-cli` and returns what it prints.
  package func cli(_ arguments: String..., user: User = .admin) async throws -> String {
    try await Tool.run(
      ["redis-cli", "-e", "-h", host, "-p", String(port), "--no-auth-warning", "--user", user.rawValue] + arguments,
      environment: ["REDISCLI_AUTH": password(user)], limit: .seconds(10))
  }

  func probe() async throws {
    let answer = try await cli("PING")
    guard answer == "PONG" else { throw LocalStackError(.toolFailed, part: launch.name, "It answered PING with \(answer).") }
  }
}
