import Foundation

/// PostgreSQL with the database `martlet`, owned by the role `martlet`, and one role per service.
package struct PostgresServer: StackPart {
  /// The roles that can log in. Those of the services get their passwords from `grantLogins`, once the migration has made them.
  package enum Role: String, Sendable, CaseIterable {
    case superuser = "postgres"
    /// Owns the database and may create roles: what `martletctl migrate` connects as.
    case owner = "martlet"
    case gateway = "martlet_gateway"
    case ingest = "martlet_ingest"
    case persister = "martlet_persister"
    case rules = "martlet_rules"
    case api = "martlet_api"
    case signaling = "martlet_signaling"

    package static let services: [Role] = [.gateway, .ingest, .persister, .rules, .api, .signaling]
  }

  package let host = "127.0.0.1"
  package let port: Int
  package let database = "martlet"
  /// The certificate authority to trust with `sslmode=verify-full` (host `localhost`), if the stack was asked for TLS.
  package let caFile: String?
  private let folder: StackFolder
  private let passwords: [Role: String]
  private let socketFolder: String
  let launch: Launch
  let remedy = "See whether the port is taken, the disk is full or the data folder is of another version, then start it anew."

  init(folder: StackFolder, syncsToDisk: Bool, certificates: Certificates?) async throws {
    let account = try ServerAccount()
    let installation = try await PostgresInstallation.newest()
    self.folder = folder
    port = try Ports.free()
    passwords = try Dictionary(uniqueKeysWithValues: Role.allCases.map { ($0, try folder.secret("postgres_\($0.rawValue)")) })
    let home =
      account.canReach(folder.path)
      ? "\(folder.path)/postgres" : "/var/tmp/martlet-postgres\(folder.path.replacingOccurrences(of: "/", with: "-"))"
    try account.makeFolder(home)
    // A socket's path has room for 107 bytes.
    socketFolder = "\(home)/.s.PGSQL.65535".utf8.count <= 107 ? home : "/var/tmp/martlet-postgres-\(port)"
    try account.makeFolder(socketFolder)
    try await installation.makeCluster("\(home)/data", account: account)

    var settings = Self.settings(port: port, socketFolder: socketFolder, home: home)
    settings.append("fsync=\(syncsToDisk ? "on" : "off")")
    if let certificates {
      for (source, name) in [(certificates.certificate, "server.pem"), (certificates.key, "server.key")] {
        try folder.writePrivate(String(contentsOfFile: source, encoding: .utf8), to: "\(home)/\(name)")
        try account.own("\(home)/\(name)")
      }
      settings += ["ssl=on", "ssl_cert_file=\(home)/server.pem", "ssl_key_file=\(home)/server.key"]
    }
    caFile = certificates?.authority
    // Over TCP everyone needs a password; over the socket, in a folder that only the account can enter, the superuser does not.
    let access = "local all postgres trust\nhost all all \(host)/32 scram-sha-256\n"
    try folder.writePrivate(access, to: "\(home)/pg_hba.conf")
    try account.own("\(home)/pg_hba.conf")
    launch = Launch(
      name: StackServer.postgres.rawValue,
      command: account.prefix + ["\(installation.programs)/postgres", "-D", "\(home)/data"] + settings.flatMap { ["-c", $0] },
      folder: home, log: folder.log(StackServer.postgres.rawValue), stopSignal: .interrupt)
  }

  private static func settings(port: Int, socketFolder: String, home: String) -> [String] {
    [
      "listen_addresses=127.0.0.1", "port=\(port)", "unix_socket_directories=\(socketFolder)", "hba_file=\(home)/pg_hba.conf",
      "password_encryption=scram-sha-256", "timezone=UTC", "log_timezone=UTC", "max_connections=100", "logging_collector=off",
    ]
  }

  /// The address for a role, without the password: `postgres://martlet_gateway@127.0.0.1:20123/martlet`.
  package func url(_ role: Role) -> String { "postgres://\(role.rawValue)@\(host):\(port)/\(database)" }

  package func password(_ role: Role) -> String { passwords[role] ?? "" }

  /// The file that holds the role's password.
  package func passwordFile(_ role: Role) -> String { folder.secretFile("postgres_\(role.rawValue)") }

  /// Runs SQL as the superuser with `psql` and returns the rows, unaligned: columns parted by `|`, one row a line.
  package func query(_ sql: String, database: String? = nil) async throws -> String {
    try await Tool.run(
      ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--file=-"],
      environment: [
        "PGHOST": socketFolder, "PGPORT": String(port), "PGUSER": Role.superuser.rawValue, "PGDATABASE": database ?? self.database,
        "PGCONNECT_TIMEOUT": "5", "PGOPTIONS": "-c statement_timeout=60s",
      ], input: sql)
  }

  /// Lets the services' roles log in with their passwords. A role that does not exist yet is left out.
  package func grantLogins() async throws {
    let statements = Role.services.map { role in
      "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', rolname, '\(password(role))') FROM pg_roles WHERE rolname = '\(role.rawValue)' \\gexec"
    }
    _ = try await query(([Self.quietLog] + statements).joined(separator: "\n"))
  }

  func probe() async throws { _ = try await query("SELECT 1", database: "postgres") }

  func configure() async throws {
    let owner = Role.owner.rawValue
    _ = try await query(
      """
      \(Self.quietLog)
      ALTER ROLE postgres PASSWORD '\(password(.superuser))';
      SELECT 'CREATE ROLE \(owner) CREATEROLE' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '\(owner)') \\gexec
      ALTER ROLE \(owner) LOGIN PASSWORD '\(password(.owner))';
      SELECT 'CREATE DATABASE \(database) OWNER \(owner)' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '\(database)') \\gexec
      """, database: "postgres")
  }

  /// A statement that fails would be logged whole, and the password with it.
  private static let quietLog = "SET log_min_error_statement = panic; SET log_statement = none;"
}
