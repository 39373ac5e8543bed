import AsyncHTTPClient
import NIOCore
import NIOSSL
import Synchronization

/// HTTP clients, each bound to one address under one name: whatever a name server says later, the connection goes to the address that was checked,
/// while TLS and `Host` keep the name. They keep connections open between messages.
final class PinnedClients: Sendable {
  private struct Key: Hashable {
    let host: String
    let address: String
  }

  private struct Entry {
    let client: HTTPClient
    var uses: Int
    var usedAt: ContinuousClock.Instant
  }

  /// Clients that nobody uses are closed past this number, those unused for longest first.
  private static let idleMax = 256
  private static let idleFor = Duration.seconds(60)

  private let group: any EventLoopGroup
  private let configuration: HTTPClient.Configuration
  private let entries = Mutex<[Key: Entry]>([:])

  /// - Parameter caFile: a PEM file with authorities that are trusted besides those of the system.
  init(_ group: any EventLoopGroup, connectTimeout: Duration, caFile: String?) {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.timeout.connect = .nanoseconds(Int64(connectTimeout / .nanoseconds(1)))
    // Shorter than servers commonly keep a silent connection, so that a message seldom meets one that is being closed.
    configuration.connectionPool.idleTimeout = .seconds(4)
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
    configuration.connectionPool.retryConnectionEstablishment = false
    if let caFile {
      var tls = TLSConfiguration.makeClientConfiguration()
      tls.additionalTrustRoots = [.file(caFile)]
      configuration.tlsConfiguration = tls
    }
    (self.group, self.configuration) = (group, configuration)
  }

  /// Runs `body` with a client for which `host` is at `address` and nowhere else.
  func withClient<Value>(for host: String, at address: String, _ body: (HTTPClient) async throws -> Value) async rethrows -> Value {
    let key = Key(host: host, address: address)
    let client = entries.withLock { entries in
      if entries[key] == nil {
        var configuration = configuration
        configuration.dnsOverride = [host: address]
        entries[key] = Entry(
          client: HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration), uses: 0, usedAt: .now)
      }
      entries[key]?.uses += 1
      return entries[key]?.client
    }
    defer {
      entries.withLock { entries in
        entries[key]?.uses -= 1
        entries[key]?.usedAt = .now
      }
    }
    guard let client else { preconditionFailure("a client that was just made is gone") }
    return try await body(client)
  }

  /// Closes what has been idle for long, or is too many.
  func closeIdle() async {
    let closing = entries.withLock { entries in
      let idle = entries.filter { $0.value.uses == 0 }.sorted { $0.value.usedAt < $1.value.usedAt }
      let (surplus, end) = (idle.count - Self.idleMax, ContinuousClock.now - Self.idleFor)
      let closing = idle.enumerated().filter { $0.offset < surplus || $0.element.value.usedAt < end }.map(\.element)
      for (key, _) in closing { entries[key] = nil }
      return closing.map(\.value.client)
    }
    for client in closing { try? await client.shutdown() }
  }

  /// Closes all, also what is in use.
  func shutDown() async {
    let clients = entries.withLock { entries in
      defer { entries = [:] }
      return entries.values.map(\.client)
    }
    for client in clients { try? await client.shutdown() }
  }
}
