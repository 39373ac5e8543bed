internal import Access
internal import AuditTrail
internal import EventLog
internal import Logging
internal import Models
internal import NIOCore
internal import NIOPosix
internal import PostgresClient
internal import RedisClient
package import ServiceLifecycle
package import ServiceRuntime
internal import Store
internal import WebSocketTransport

/// Puts the broker together on Redis and PostgreSQL. The only place that knows them.
package enum SignalingService {
  /// The share of the drain period over which clients are sent away; the rest is for their answers.
  private static let drainShare = 0.5
  /// Frames carry a session description and what is around it (SPEC, section 2).
  private static let messageBytesMax = 80 * 1024
  private static let idleTimeout = Duration.seconds(60)

  /// Throws a sentence for a Redis or a PostgreSQL that cannot be reached or refuses the password.
  package static func build(_ configuration: SignalingConfiguration, _ context: ServiceContext) async throws -> [any Service] {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.loopCount == 0 ? System.coreCount : configuration.loopCount)
    try await RedisClient.check(configuration.redis, eventLoop: group.next())
    let pool = PostgresPool(configuration.postgres, limits: .init(connectionsMax: 4, waitersMax: 8192), logger: context.logger)
    _ = try await pool.query("SELECT 1", timeout: .seconds(5))
    let log = RedisEventLog(configuration: configuration.redis, eventLoopGroup: group, logger: context.logger)
    let redis = RedisClient(configuration: configuration.redis, eventLoopGroup: group, logger: context.logger)
    let metrics = SignalingMetrics()
    for (name, text) in AuditTrail.descriptions { context.metrics.describe(name, text) }
    let trail = AuditTrail(redis, service: "signaling", logger: context.logger)
    let store = WatchStore(pool)
    var limits = Switchboard.Limits()
    limits.watchesPerDevice = configuration.viewersMax
    limits.mailLife = configuration.watch.grace + .seconds(10)
    limits.watchLife = configuration.watch.sessionTimeout + .seconds(600)
    let watchroom = Watchroom(
      switchboard: Switchboard(redis: redis, limits: limits), limits: configuration.watch, servers: configuration.servers,
      clock: ServerClock(), metrics: metrics, logger: context.logger)

    // Many at a time, because all they do is wait; the clients of Redis and PostgreSQL bound what they do themselves.
    let jobs = JobQueue(runningMax: 4096)
    let rosters = try await Rosters(Array(group.makeIterator()), jobs: jobs, metrics: metrics)
    let access = CachedAccess(AccountStore(pool))
    let place = Place()
    let canary = Canary(replica: "signaling-\(place.replica)") { try await log.publish($0, to: $1) }
    let (feed, bell) = try await makeFeed(configuration.redis, group.next(), place, canary, context.logger) {
      Bell(
        rosters, canary: canary,
        changed: { change in
          access.invalidate(change)
          rosters.accessChanged(change)
        },
        endAsked: { watch in _ = jobs.submit { await watchroom.applySurely(.stop(.userEnded), to: watch) } })
    }
    let caretaker = Caretaker(watchroom: watchroom, store: store, place: place) { old, new in
      feed.eventLoop.execute { bell.value.listen(as: new, insteadOf: old) }
      rosters.takePlacesAnew()
    }

    let keyring = await configuration.tokens.secrets?.makeKeyring(logger: context.logger)
    await keyring?.whenWithdrawn { rosters.accessChanged(.everything) }
    let (verifier, publishedKeys) = try await configuration.tokens.makeVerifier(keyring, logger: context.logger)
    let gate = AccessGate(verifier: verifier, directory: access)
    let door = DeviceDoor(
      cameras: store, gate: DeviceGate(verifier: verifier, directory: AccountStore(pool)), logger: context.logger)
    var server = configuration.server
    server.drainPeriod = context.drainPeriod * drainShare
    server.closeTimeout = min(server.closeTimeout, context.drainPeriod * (1 - drainShare) / 2)
    let webSockets = WebSocketServer(
      configuration: server,
      routes: [
        route("/ws/device", rosters, trail) { number, token, audit in
          DeviceDesk(watchroom, door: door, log: log, place: place, number: number, credential: token, audit: audit)
        },
        route("/ws/viewer", rosters, trail) { number, token, audit in
          ViewerDesk(watchroom, gate: gate, place: place, number: number, token: token, limits: ViewerDesk.Limits(), audit: audit)
        },
      ], eventLoopGroup: group, logger: context.logger)
    for (name, text) in SignalingMetrics.descriptions { context.metrics.describe(name, text) }
    context.metrics.addCollector("signaling") { await SignalingMetrics.samples(webSockets) }
    context.health.addCheck("redis", deadline: .seconds(3)) { try await canary.check() }
    let keys: [(any Service)?] = [keyring, publishedKeys]
    return keys.compactMap(\.self) + [pool, redis, trail, log, feed, caretaker, jobs, webSockets]
  }

  private static func makeFeed(
    _ configuration: RedisConfiguration, _ eventLoop: any EventLoop, _ place: Place, _ canary: Canary, _ logger: Logger,
    _ makeBell: @escaping @Sendable () -> Bell
  ) async throws -> (RedisSubscription, NIOLoopBound<Bell>) {
    var configuration = configuration
    configuration.clientName = "martlet-signaling-live"
    return try await eventLoop.submit { [configuration] in
      let bell = makeBell()
      let feed = RedisSubscription(configuration: configuration, eventLoop: eventLoop, receiver: bell, logger: logger)
      bell.connect(feed, replica: place.replica)
      return (feed, NIOLoopBound(bell, eventLoop: eventLoop))
    }.get()
  }

  private static func route(
    _ path: String, _ rosters: Rosters, _ trail: AuditTrail,
    makeDesk: @escaping @Sendable (UInt64, _ token: String?, AuditVoice) -> any Desk
  ) -> WebSocketRoute {
    let limits = WebSocketLimits(messageBytesMax: messageBytesMax, outboundBytesMax: 1024 * 1024, idleTimeout: idleTimeout)
    return WebSocketRoute(path: path, limits: limits) { request, connection in
      let roster = rosters[connection.loopIndex]
      let number = roster.nextNumber()
      return SignalingConnection(
        connection, number: number, roster: roster,
        desk: makeDesk(
          number, request.bearerToken ?? request.query("token"), AuditVoice(trail, endpoint: path, address: request.remoteAddress)),
        limits: SignalingConnection.Limits())
    }
  }
}
