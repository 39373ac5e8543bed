package import Logging
package import NIOCore
import ServiceLifecycle

/// A client of one Redis server, or of a cluster (`RedisConfiguration.isCluster`); whoever calls need not know which.
///
/// `run()` keeps the connections. A call that comes while there is none waits for it until its deadline, then fails with why the last attempt to
/// connect failed (`unreachable`, `tls`, `authentication`). A call under way when the connection breaks fails with `closed` and is never sent again by
/// itself. Every call has a deadline; the calls that wait are bounded (`RedisConfiguration.Limits`), and one too many fails with `overloaded`. A
/// blocking command blocks every call behind it: give it a client of its own.
///
/// On a cluster a command goes to the node that has its first key, for `PUBLISH` its channel, and one without a key along with the command before it. All keys of a
/// command must have one hash tag. What a node has not done, because a slot has moved or the node is not ready, is sent again until the deadline.
package final class RedisClient: Service, Sendable {
  private enum Backend {
    case server(RedisNode)
    case cluster(RedisCluster)
  }

  package let configuration: RedisConfiguration
  private let backend: Backend

  package init(configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger) {
    self.configuration = configuration
    if let topology = configuration.topology {
      backend = .cluster(RedisCluster(topology, configuration: configuration, eventLoop: eventLoop, logger: logger))
    } else {
      backend = .server(RedisNode(configuration: configuration, eventLoop: eventLoop, logger: logger))
    }
  }

  package convenience init(configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger) {
    self.init(configuration: configuration, eventLoop: eventLoopGroup.next(), logger: logger)
  }

  /// Keeps the connections until graceful shutdown or cancellation; calls that still wait then fail with `closed`.
  package func run() async throws {
    switch backend {
    case .server(let server): try await server.run()
    case .cluster(let cluster): try await cluster.run()
    }
  }

  /// Connects and logs in once, without a `run()`: what a service does at its start to tell a wrong address or password in one sentence.
  package static func check(_ configuration: RedisConfiguration, eventLoop: any EventLoop) async throws(RedisError) {
    if let topology = configuration.topology { return try await topology.check(configuration, eventLoop: eventLoop) }
    let channel = try await RedisConnector(configuration: configuration, eventLoop: eventLoop).connect { _ in }
    channel.close(promise: nil)
  }

  /// Sends one command. Throws `RedisError`, also for an error reply, or `CancellationError`.
  package func send(_ command: RedisCommand, timeout: Duration? = nil) async throws -> RESPValue {
    guard let reply = try await pipeline([command], timeout: timeout).first else {
      throw RedisError(.protocolViolation, "Redis sent no reply")
    }
    return try reply.get()
  }

  /// Sends commands, to one server in one write. One outcome for each, in their order; throws when the replies did not all come.
  ///
  /// - Parameter isReplicated: on a cluster, waits until a replica has what the commands have written and read, where their master has a replica; throws `notReplicated`
  ///   when none has it in time. What was written is there then, and may be lost.
  package func pipeline(
    _ commands: [RedisCommand], timeout: Duration? = nil, isReplicated: Bool = false
  ) async throws -> [Result<RESPValue, RedisError>] {
    guard !commands.isEmpty else { return [] }
    switch backend {
    case .server(let server): return try await server.pipeline(commands, timeout: timeout)
    case .cluster(let cluster): return try await cluster.pipeline(commands, timeout: timeout, isReplicated: isReplicated)
    }
  }

  /// Sends a command without a key to the server, or to every master of the cluster: one outcome for each.
  package func broadcast(_ command: RedisCommand) async throws -> [Result<RESPValue, RedisError>] {
    switch backend {
    case .server(let server): try await server.pipeline([command], timeout: nil)
    case .cluster(let cluster): try await cluster.broadcast(command)
    }
  }

  /// Puts a library of functions where it is missing. Another client may be faster; a master that cannot be reached gets it when a call finds it missing there.
  package func loadFunctions(_ source: String) async throws {
    let outcomes = try await broadcast(RedisCommand("FUNCTION", "LOAD", source))
    let failures = outcomes.compactMap { outcome -> RedisError? in
      if case .failure(let error) = outcome, !error.message.contains("already exists") { error } else { nil }
    }
    if failures.count == outcomes.count, let failure = failures.first { throw failure }
  }
}
