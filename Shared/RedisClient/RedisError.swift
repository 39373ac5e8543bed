/// Why a call to Redis failed: a code for programs, a sentence for people. Neither ever holds a password or an argument of the call.
package struct RedisError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Code: Hashable, Sendable {
    /// The configuration cannot be right: a malformed URL, a CA file that cannot be read.
    case configuration
    /// There was no connection before the call's deadline.
    case unreachable
    /// The certificate was refused, or the other side does not speak TLS.
    case tls
    /// The server refused the user name or the password, or wants one (`NOAUTH`, `WRONGPASS`).
    case authentication
    /// No reply before the call's deadline. The server may have done what was asked.
    case timeout
    /// More calls are waiting than `RedisConfiguration.Limits` allows. Nothing was sent.
    case overloaded
    /// The connection was lost or closed with the call under way. The server may have done what was asked.
    case closed
    /// It was done, but no replica of the cluster's master has confirmed it in time: a failover could lose it.
    case notReplicated
    /// What came back is not RESP2, is beyond the limits, or was not asked for.
    case protocolViolation
    /// The server answered with an error of this prefix: `ERR`, `OOM`, `NOPERM`, `LOADING`, `READONLY`, `MOVED`, …
    case server(String)
  }

  package let code: Code
  package let message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { message }

  /// The server is out of memory and refuses writes (`maxmemory` with `noeviction`).
  package var isOutOfMemory: Bool { code == .server("OOM") }
  /// The user's ACL does not allow the command, key or channel.
  package var isNotPermitted: Bool { code == .server("NOPERM") }

  /// Reads an error reply without its leading `-`, such as `WRONGPASS invalid username-password pair`.
  init(reply text: String) {
    let prefix = text.prefix { $0 != " " }
    let isPrefix = !prefix.isEmpty && prefix.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "_") }
    let code = isPrefix ? String(prefix) : "ERR"
    let isAuthentication = code == "NOAUTH" || code == "WRONGPASS"
    // A client of a cluster follows; whoever else is told this is set up wrong.
    let said =
      code == "MOVED"
      ? "Redis is a node of a cluster, and the Redis URL must name several of its nodes, separated by commas; it answered"
      : "Redis answered"
    self.init(isAuthentication ? .authentication : .server(code), "\(said): \(Self.printable(text))")
  }

  /// Text from the wire, cut short and without control characters.
  static func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { $0.properties.generalCategory == .control ? " " : $0 }))
  }
}
