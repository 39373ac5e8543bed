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

  /// The server; of a cluster, the node that is spoken to.
  private(set) var address: RedisAddress
  let readPassword: (@Sendable () -> String)?
  let tls: NIOSSLContext?
  /// What is known of the cluster's nodes by everyone with a copy of this configuration; nil for one server.
  private(set) var topology: ClusterTopology?

  /// Several addresses are nodes of one cluster, of which those that are not named are found.
  package var isCluster: Bool { topology != nil }

  /// `url` is `redis://[[user]:password@]host[:port][/database]`, or `rediss://…` for TLS with the certificate checked against the host's name
  /// and the system's authorities, or those in `caFile` (PEM). Several hosts, separated by commas, are nodes of a cluster. `password` stands in for one in the URL,
  /// and `readPassword` for both where it may change: it is asked, on the event loop, for each new connection.
  ///
  /// Throws `RedisError` with the code `configuration`.
  package init(url text: String, password: String? = nil, readPassword: (@Sendable () -> String)? = nil, caFile: String? = nil)
    throws(RedisError)
  {
    let url = try RedisURL(text)
    address = url.addresses[0]
    user = url.user
    database = url.database
    self.readPassword = readPassword ?? (password ?? url.password).map { text -> @Sendable () -> String in { text } }
    if user != nil, self.readPassword == nil {
      throw RedisError(.configuration, "the Redis URL names a user but there is no password; give one in the URL or in its own variable")
    }
    tls = url.isTLS ? try Self.tlsContext(caFile: caFile) : nil
    topology = url.addresses.count > 1 ? ClusterTopology(seeds: url.addresses) : nil
  }

  /// The same for one node of the cluster.
  func at(_ node: RedisAddress) -> RedisConfiguration {
    var copy = self
    (copy.address, copy.topology) = (node, nil)
    return copy
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

  package var description: String {
    let places = topology.map { $0.seeds.map(\.description).joined(separator: ",") } ?? address.description
    return "\(tls == nil ? "redis" : "rediss")://\(user.map { $0 + "@" } ?? "")\(places)/\(database)"
  }
}
