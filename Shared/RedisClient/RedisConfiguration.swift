import NIOCore
import NIOSSL

/// Where Redis is and how long to wait for it. Its description never holds the password.
package struct RedisConfiguration: Sendable, CustomStringConvertible {
  /// Bounds of what may wait and of what may come back.
  package struct Limits: Sendable {
    /// Calls not yet answered; one more fails with `overloaded`.
    package var waitingCalls = 16_384
    /// Their bytes.
    package var waitingBytes = 64 << 20
    package var replyBytes = 64 << 20
    /// Elements of a reply, over all its levels (hiredis allows seven).
    package var replyElements = 1 << 20

    package init() {}
  }

  package let host: String
  package let port: Int
  package let user: String?
  package let database: Int
  /// For a call that names no time-out of its own; also how long a connection with calls under way may stay silent.
  package var callTimeout: Duration = .seconds(2)
  /// For the TCP connection, and again for TLS and log-in.
  package var connectTimeout: Duration = .seconds(3)
  /// How often a subscription asks its server for a sign of life.
  package var pingInterval: Duration = .seconds(5)
  package var limits = Limits()
  /// Shown in the server's `CLIENT LIST`; no spaces.
  package var clientName: String?

  let password: String?
  let tls: NIOSSLContext?

  /// `url` is `redis://[[user]:password@]host[:port][/database]`, or `rediss://…` for TLS with the certificate checked against the host's name
  /// and the system's authorities, or those in `caFile` (PEM). `password` stands in for one in the URL.
  ///
  /// Throws `RedisError` with the code `configuration`.
  package init(url text: String, password: String? = nil, caFile: String? = nil) throws(RedisError) {
    let url = try RedisURL(text)
    host = url.host
    port = url.port
    user = url.user
    database = url.database
    self.password = password ?? url.password
    if user != nil, self.password == nil {
      throw RedisError(.configuration, "the Redis URL names a user but there is no password; give one in the URL or in its own variable")
    }
    tls = url.isTLS ? try Self.tlsContext(caFile: caFile) : nil
  }

  private static func tlsContext(caFile: String?) throws(RedisError) -> NIOSSLContext {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    if let caFile { tls.trustRoots = .file(caFile) }
    do {
      return try NIOSSLContext(configuration: tls)
    } catch {
      let source = caFile.map { "the CA file \($0)" } ?? "the system's certificate authorities"
      throw RedisError(.configuration, "cannot read \(source) for TLS to Redis; it has to be a readable PEM file of certificates")
    }
  }

  var address: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  package var description: String { "\(tls == nil ? "redis" : "rediss")://\(user.map { $0 + "@" } ?? "")\(address)/\(database)" }
}
