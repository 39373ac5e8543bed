/// Mosquitto with a password file and an access list, without anonymous clients, its queue on disk.
package struct MosquittoServer: StackPart {
  /// The users of `deploy/mosquitto/acl`.
  package enum User: String, Sendable, CaseIterable {
    /// Reads what devices publish, writes commands.
    case ingest
    /// Stands in for every device: the simulator, tests.
    case simulator
    /// Reads and writes everything, `$SYS` too.
    case admin
  }

  package let host = "127.0.0.1"
  package let port: Int
  /// The TLS listener and the certificate authority to trust, if the stack was asked for TLS.
  package let tls: (port: Int, caFile: String)?
  private let folder: StackFolder
  private let passwords: [User: String]
  private let home: String
  let launch: Launch
  let remedy = "See whether the port is taken or the disk is full, then start it anew."

  init(folder: StackFolder, port: Int, certificates: Certificates?) async throws {
    self.folder = folder
    self.port = port
    home = try folder.makePrivate("mosquitto")
    passwords = try Dictionary(uniqueKeysWithValues: User.allCases.map { ($0, try folder.secret("mqtt_\($0.rawValue)")) })
    // `-U` hashes a file in place, so that no password is seen in an argument list.
    let passwordFile = "\(home)/passwords"
    try folder.writePrivate(passwords.map { "\($0.rawValue):\($1)\n" }.joined(), to: passwordFile)
    try await Tool.run(["mosquitto_passwd", "-U", passwordFile])
    tls = try certificates.map { (try Ports.free(), $0.authority) }

    var settings = [
      "include_dir \(try DeployFiles.path("mosquitto/conf.d"))", "password_file \(passwordFile)",
      "acl_file \(try DeployFiles.path("mosquitto/acl"))", "persistence_location \(home)/", "log_dest stderr",
      // Who came and why they went, for whoever wonders at a failing test.
      "connection_messages true",
      "listener \(port) \(host)",
    ]
    if let tls, let certificates {
      settings += ["listener \(tls.port) \(host)", "certfile \(certificates.certificate)", "keyfile \(certificates.key)"]
    }
    // Started as root it would change to its own account, which cannot enter the folder.
    if ServerAccount.isRoot { settings.append("user root") }
    try folder.writePrivate(settings.joined(separator: "\n") + "\n", to: "\(home)/mosquitto.conf")
    for user in User.allCases {
      let options = "-h \(host)\n-p \(port)\n-u \(user.rawValue)\n-P \(passwords[user] ?? "")\n"
      let clients = try folder.makePrivate("mosquitto/clients-\(user.rawValue)")
      for client in ["mosquitto_pub", "mosquitto_sub"] { try folder.writePrivate(options, to: "\(clients)/\(client)") }
    }
    launch = Launch(
      name: StackServer.mosquitto.rawValue, command: ["mosquitto", "-c", "\(home)/mosquitto.conf"], folder: home,
      log: folder.log(StackServer.mosquitto.rawValue))
  }

  /// The address for a user, without the password: `mqtt://ingest@127.0.0.1:1883`.
  package func url(_ user: User) -> String { "mqtt://\(user.rawValue)@\(host):\(port)" }

  /// The same through the TLS listener (`mqtts://`), for the name `localhost`; nil without TLS.
  package func tlsURL(_ user: User) -> String? { tls.map { "mqtts://\(user.rawValue)@localhost:\($0.port)" } }

  package func password(_ user: User) -> String { passwords[user] ?? "" }

  /// The file that holds the user's password.
  package func passwordFile(_ user: User) -> String { folder.secretFile("mqtt_\(user.rawValue)") }

  /// The environment in which `mosquitto_pub` and `mosquitto_sub` find address, user and password by themselves.
  package func clientEnvironment(_ user: User) -> [String: String] { ["XDG_CONFIG_HOME": "\(home)/clients-\(user.rawValue)"] }

  /// Publishes with `mosquitto_pub`: its arguments, and what it reads from standard input.
  package func publish(_ arguments: String..., user: User = .simulator, input: String = "", limit: Duration = .seconds(60)) async throws {
    try await Tool.run(["mosquitto_pub"] + arguments, environment: clientEnvironment(user), input: input, limit: limit)
  }

  /// Connects with real credentials and leaves when the subscription is confirmed.
  func probe() async throws {
    try await Tool.run(
      ["mosquitto_sub", "-t", "martlet/probe/events/none", "-E"], environment: clientEnvironment(.admin), limit: .seconds(5))
  }
}
