import CLibpq

/// Where a PostgreSQL is and how long it may take. The password stays inside: no description or reflection shows it.
package struct PostgresConfiguration: Sendable, CustomStringConvertible, CustomReflectable {
  /// `host:port/database as user`, for logs and errors.
  package let endpoint: String
  /// Shown in `pg_stat_activity`.
  package var applicationName: String
  /// Limit for making a connection, TLS and authentication included. (Resolving the host name has the resolver's own limit.)
  package var connectTimeout: Duration
  /// Limit for one call, which may be a transaction of several statements, where the call gives no other.
  package var callTimeout: Duration
  /// How long the server may take to answer a request to cancel, or a rollback, before the connection is given up.
  package var cancelGrace: Duration = .milliseconds(500)

  let url: String
  let readPassword: (@Sendable () -> String)?
  /// Whether a refused password may be another one at the next attempt.
  let isPasswordRead: Bool

  /// - Parameters:
  ///   - url: `postgres://user@host:port/database?sslmode=verify-full&sslrootcert=/path/ca.pem`, or libpq's `keyword=value` list.
  ///   - password: given apart from the URL, and preferred to one inside it.
  ///   - readPassword: stands for `password` where that may change: asked, on a connection's own thread, for each new connection.
  /// - Throws: `.invalidConfiguration`.
  package init(
    url: String, password: String? = nil, readPassword: (@Sendable () -> String)? = nil, applicationName: String = "martlet",
    connectTimeout: Duration = .seconds(5), callTimeout: Duration = .seconds(30)
  ) throws(PostgresError) {
    // libpq takes a text without any `=` as the name of a database on this machine: here it can only be a mistake.
    guard url.contains("://") || url.contains("="), let options = PQconninfoParse(url, nil) else {
      // libpq's own explanation may quote the address, password included.
      throw PostgresError(
        .invalidConfiguration, message: "The PostgreSQL address is not valid: write it as postgres://user@host:5432/database")
    }
    defer { PQconninfoFree(options) }
    var values: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      values[String(cString: keyword)] = option.pointee.val.map { String(cString: $0) }
      option += 1
    }
    let user = values["user"] ?? "the default user"
    let host = values["host"] ?? values["hostaddr"] ?? "the default host"
    self.endpoint = "\(host):\(values["port"] ?? "5432")/\(values["dbname"] ?? user) as \(user)"
    self.url = url
    self.readPassword = readPassword ?? password.map { text -> @Sendable () -> String in { text } }
    isPasswordRead = readPassword != nil
    self.applicationName = applicationName
    self.connectTimeout = connectTimeout
    self.callTimeout = callTimeout
  }

  package var description: String { "PostgreSQL at \(endpoint)" }
  package var customMirror: Mirror { Mirror(self, children: ["endpoint": endpoint]) }

  /// libpq's keywords in order: what stands before `dbname` is a default that the address may override, what stands after
  /// it wins. The server probes a silent client too, so that the locks of a machine that vanished are free within a minute.
  var keywords: [(String, String)] {
    var list = [
      ("application_name", applicationName), ("client_encoding", "UTF8"), ("gssencmode", "disable"),
      ("keepalives", "1"), ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
      ("tcp_user_timeout", "30000"),
      (
        "options",
        "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=30000"
      ),
      ("dbname", url),
    ]
    if let readPassword { list.append(("password", readPassword())) }
    return list
  }
}
