import CLibpq
import COpenSSL
import Glibc
import Logging

extension PostgresSession {
  /// Connects within `configuration.connectTimeout`. Blocks the calling thread.
  static func connect(_ configuration: PostgresConfiguration, wake: WakePipe, logger: Logger) throws(PostgresError) -> PostgresSession {
    let deadline = ContinuousClock.now + configuration.connectTimeout
    guard let connection = startConnecting(configuration) else {
      throw PostgresError(.unreachable, message: "\(configuration): not enough memory for a connection")
    }
    let session = PostgresSession(connection: connection, configuration: configuration, wake: wake, logger: logger, deadline: deadline)
    session.takeNotices()
    // Verbose while connecting: it is the only way to the error code of a refusal.
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
    try session.pollUntilConnected()
    PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
    guard PQsetnonblocking(connection, 1) == 0 else { throw session.connectFailure() }
    return session
  }

  /// libpq uses OpenSSL, which otherwise clears itself away when the program exits, under the threads of connections that are still at work. Has to come before its first use.
  private static let keepsOpenSSL: Void = {
    _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
  }()

  private static func startConnecting(_ configuration: PostgresConfiguration) -> OpaquePointer? {
    keepsOpenSSL
    let keywords = configuration.keywords
    var names: [UnsafePointer<CChar>?] = keywords.map { UnsafePointer(strdup($0.0)) }
    var values: [UnsafePointer<CChar>?] = keywords.map { UnsafePointer(strdup($0.1)) }
    defer { for text in names + values { free(UnsafeMutableRawPointer(mutating: text)) } }
    names.append(nil)
    values.append(nil)
    let expandsAddress: CInt = 1
    return PQconnectStartParams(names, values, expandsAddress)
  }

  private func pollUntilConnected() throws(PostgresError) {
    guard PQstatus(connection) != CONNECTION_BAD else { throw connectFailure() }
    var events = POLLOUT
    while true {
      switch wake.wait(socket: PQsocket(connection), events: events, until: deadline) {
      case .timedOut:
        throw error(.timeout, "No connection within the time allowed: check that the server is running and reachable")
      case .woken:
        guard !Task.isCancelled else { throw error(.cancelled, "Connecting was cancelled") }
        continue
      case .socket: break
      }
      switch PQconnectPoll(connection) {
      case PGRES_POLLING_OK: return
      case PGRES_POLLING_READING: events = POLLIN
      case PGRES_POLLING_WRITING: events = POLLOUT
      default: throw connectFailure()
      }
    }
  }

  private func connectFailure() -> PostgresError {
    let (sqlState, explanation) = Self.parseConnectFailure(String(cString: PQerrorMessage(connection)))
    let (code, remedy): (PostgresError.Code, String) =
      if PQconnectionNeedsPassword(connection) != 0 {
        (.authentication, "give this user's password")
      } else if sqlState?.hasPrefix("28") == true {
        (.authentication, "check the user, the password and the server's pg_hba.conf")
      } else if sqlState == "3D000" {
        (.authentication, "create the database or correct its name")
      } else if explanation.contains("SSL") || explanation.contains("certificate") {
        (.tls, "check sslmode, sslrootcert and the server's certificate")
      } else {
        (.unreachable, "check that the server is running and reachable")
      }
    return error(code, "\(explanation): \(remedy)", sqlState: sqlState)
  }

  /// Takes libpq's verbose text apart: the last line that is a message, and the error code in it.
  static func parseConnectFailure(_ text: String) -> (sqlState: String?, explanation: String) {
    let lines = text.split(separator: "\n").filter { line in
      !["LOCATION:", "DETAIL:", "HINT:", "\t"].contains { line.hasPrefix($0) }
    }
    let line = lines.last.map(String.init) ?? "no connection"
    // "connection to server at …: FATAL:  28P01: password authentication failed for user …"
    guard let match = line.firstMatch(of: /:  ([0-9A-Z]{5}): (.+)$/) else { return (nil, line) }
    return (String(match.1), String(match.2))
  }

  /// libpq prints notices to stderr by default.
  private func takeNotices() {
    // The session owns the connection, so it outlives every notice.
    PQsetNoticeProcessor(
      connection,
      { context, text in
        guard let context, let text else { return }
        let session = Unmanaged<PostgresSession>.fromOpaque(context).takeUnretainedValue()
        let notice = String(cString: text).trimmingSuffix { $0.isNewline }
        session.logger.debug("PostgreSQL notice", metadata: ["notice": "\(notice)"])
      }, Unmanaged.passUnretained(self).toOpaque())
  }
}

extension String {
  fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
    var text = self[...]
    while let last = text.last, predicate(last) { text.removeLast() }
    return text
  }
}
