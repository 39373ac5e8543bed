/// What went wrong with PostgreSQL: a code for programs, and a sentence for people that names the server, the database and
/// the user. It never holds a password, a parameter or a row.
package struct PostgresError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Code: Hashable, Sendable {
    /// The address is not one; nothing was tried.
    case invalidConfiguration
    /// No connection could be made.
    case unreachable
    /// The server refused the user, the password or the database.
    case authentication
    /// The encrypted connection could not be made, or its certificate is not the server's.
    case tls
    /// The deadline passed.
    case timeout
    /// The calling task was cancelled.
    case cancelled
    /// The connection broke during the call: whether the server did it is not known.
    case connectionLost
    /// The connection or pool was closed before the call; nothing was sent.
    case closed
    /// Every connection of the pool stayed busy, or too many callers wait for one.
    case exhausted
    /// The server refused the statement; `sqlState` says why.
    case refused
    /// A result has other columns, or values of other types, than the caller expects.
    case unexpectedResult
  }

  package let code: Code
  /// The five characters of the server's error code (Appendix A of PostgreSQL's manual), when the server gave one.
  package let sqlState: String?
  package let message: String

  package init(_ code: Code, sqlState: String? = nil, message: String) {
    self.code = code
    self.sqlState = sqlState
    self.message = message
  }

  package var description: String { sqlState.map { "\(message) (SQLSTATE \($0))" } ?? message }

  /// True when the same call may succeed later without anybody changing the call: the server is away, restarting, out of
  /// resources, or chose this transaction as a victim.
  package var isTransient: Bool {
    switch code {
    case .unreachable, .timeout, .connectionLost, .closed, .exhausted: true
    case .refused: ["08", "40", "53", "55", "57", "58"].contains(sqlState?.prefix(2))
    case .invalidConfiguration, .authentication, .tls, .cancelled, .unexpectedResult: false
    }
  }

  /// True when PostgreSQL refused the values themselves (data exceptions, broken constraints, rows past a limit of the
  /// program), so that the same values will be refused for ever.
  package var isRefusalOfData: Bool {
    code == .refused && ["22", "23", "54"].contains(sqlState?.prefix(2))
  }
}
