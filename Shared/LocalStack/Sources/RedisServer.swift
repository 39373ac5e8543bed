/// Redis with an append-only file synced at every write, and one user per service: by itself, or as a node of a cluster.
package struct RedisServer: StackPart {
  /// The users of `deploy/redis/users.acl`.
  package enum User: String, Sendable, CaseIterable {
    case gateway, ingest, persister, rules, api, signaling
    /// May do everything: `martletctl`, tests.
    case admin
  }

  /// The part's name: `redis`, or `redis-1` and so on in a cluster.
  package let name: String
  package let host = "127.0.0.1"
  /// Where it is spoken to: in a cluster with TLS by TLS only, else without.
  package let port: Int
  /// The TLS listener and the certificate authority to trust, if the stack was asked for TLS.
  package let tls: (port: Int, caFile: String)?
  private let folder: StackFolder
  private let passwords: [User: String]
  let launch: Launch
  let remedy = "See whether the port is taken or the disk is full, then start it anew."

  /// - Parameter clusterNode: its number in a cluster, from 1; nil for a server by itself.
  init(folder: StackFolder, memoryBytesMax: Int, certificates: Certificates?, clusterNode: Int? = nil) throws {
    self.folder = folder
    name = clusterNode.map { "\(StackServer.redis.rawValue)-\($0)" } ?? StackServer.redis.rawValue
    passwords = try Dictionary(uniqueKeysWithValues: User.allCases.map { ($0, try folder.secret("redis_\($0.rawValue)")) })
    let home = try folder.makePrivate(name)
    let users = Dictionary(uniqueKeysWithValues: passwords.map { ("REDIS_\($0.rawValue.uppercased())_PASSWORD", $1) })
    try folder.writePrivate(DeployFiles.render("redis/users.acl.template", users), to: "\(home)/users.acl")
    var configuration = try DeployFiles.path("redis/redis.conf")
    if clusterNode != nil {
      let parts = [configuration, try DeployFiles.path("redis/cluster.conf")].map { "include \($0)\n" }.joined()
      configuration = "\(home)/node.conf"
      try folder.writePrivate(parts + "masteruser admin\nmasterauth \(passwords[.admin] ?? "")\n", to: configuration)
    }
    let plainPort = try clusterNode != nil && certificates != nil ? nil : Ports.free()
    var command = [
      "redis-server", configuration, "--bind", host, "--port", String(plainPort ?? 0), "--dir", home,
      "--aclfile", "\(home)/users.acl", "--maxmemory", String(memoryBytesMax),
    ]
    if clusterNode != nil {
      // Sooner than a deployment would, because tests wait for it.
      command += ["--cluster-port", String(try Ports.free()), "--cluster-node-timeout", "2000"]
    }
    if let certificates {
      let tlsPort = try Ports.free()
      tls = (tlsPort, certificates.authority)
      command += [
        "--tls-port", String(tlsPort), "--tls-cert-file", certificates.certificate, "--tls-key-file", certificates.key,
        "--tls-ca-cert-file", certificates.authority, "--tls-auth-clients", "no",
      ]
      if clusterNode != nil { command += ["--tls-cluster", "yes", "--tls-replication", "yes"] }
    } else {
      tls = nil
    }
    port = plainPort ?? tls?.port ?? 0
    launch = Launch(name: name, command: command, folder: home, log: folder.log(name))
  }

  /// The address for a user, without the password: `redis://gateway@127.0.0.1:20123/0`.
  package func url(_ user: User) -> String { "redis://\(user.rawValue)@\(host):\(port)/0" }

  /// The same through the TLS listener (`rediss://`), for the name `localhost`; nil without TLS.
  package func tlsURL(_ user: User) -> String? { tls.map { "rediss://\(user.rawValue)@localhost:\($0.port)/0" } }

  package func password(_ user: User) -> String { passwords[user] ?? "" }

  /// The file that holds the user's password.
  package func passwordFile(_ user: User) -> String { folder.secretFile("redis_\(user.rawValue)") }

  /// Runs one command with `redis-cli` and returns what it prints.
  package func cli(_ arguments: String..., user: User = .admin) async throws -> String { try await run(arguments, user: user) }

  /// The same, with options of `redis-cli` before the command and with a limit.
  package func run(_ arguments: [String], user: User = .admin, limit: Duration = .seconds(10)) async throws -> String {
    let encryption = tls.flatMap { $0.port == port ? ["--tls", "--cacert", $0.caFile] : nil } ?? []
    return try await Tool.run(
      ["redis-cli", "-e", "-h", host, "-p", String(port), "--no-auth-warning", "--user", user.rawValue] + encryption + arguments,
      environment: ["REDISCLI_AUTH": password(user)], limit: limit)
  }

  func probe() async throws {
    let answer = try await cli("PING")
    guard answer == "PONG" else { throw LocalStackError(.toolFailed, part: launch.name, "It answered PING with \(answer).") }
  }
}
