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

/// Puts the gateway together on Redis and PostgreSQL. The only place that knows them.
package enum GatewayService {
  /// The share of the drain period over which clients are sent away; the rest is for their answers.
  private static let drainShare = 0.7

  /// Throws a sentence for a Redis or a PostgreSQL that cannot be reached or refuses the password.
  package static func build(_ configuration: GatewayConfiguration, _ context: ServiceContext) async throws -> [any Service] {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.loopCount == 0 ? System.coreCount : configuration.loopCount)
    try await RedisClient.check(configuration.redis, eventLoop: group.next())
    let door = try await door(configuration, context)
    let log = RedisEventLog(configuration: configuration.redis, eventLoopGroup: group, logger: context.logger)
    let board = configuration.accounts.map { _ in
      PresenceBoard(configuration: configuration.redis, eventLoopGroup: group, logger: context.logger)
    }
    let audit = audit(configuration, group, context)
    var redis = configuration.redis
    redis.clientName = "martlet-gateway-live"
    let (feedConfiguration, logger) = (redis, context.logger)
    var settings = Gateway.Settings(
      server: configuration.server, queueBytesMax: configuration.queueBytesMax,
      replica: String(UInt64.random(in: .min ... .max), radix: 36))
    settings.session.subscriptionsMax = configuration.subscriptionsMax
    settings.oht50 = configuration.oht50
    settings.roles = configuration.roles
    settings.server.drainPeriod = context.drainPeriod * drainShare
    settings.server.closeTimeout = min(settings.server.closeTimeout, context.drainPeriod * (1 - drainShare) / 2)
    settings.refusesForeignPages = configuration.accounts == nil
    let gateway = try await Gateway(
      settings,
      ports: Gateway.Ports(
        gate: door.gate, cache: door.cache, devices: door.devices, board: board, audit: audit.trail, log: log,
        liveFeed: {
          RedisSubscription(
            configuration: feedConfiguration, eventLoop: $0, receiver: $1, logger: logger, home: Bus.home(ofChannel:))
        }),
      eventLoopGroup: group, logger: context.logger)
    await door.keyring?.whenWithdrawn { gateway.recheckEverybody() }
    gateway.metrics.register(with: context.metrics)
    context.health.addCheck("redis", deadline: .seconds(3)) { try await gateway.canary.check() }
    return door.services + audit.services + [log] + [board].compactMap(\.self) + gateway.services
  }

  /// Where is noted what the audit log is to tell, by a connection of its own. Nothing is where there are no accounts.
  private static func audit(
    _ configuration: GatewayConfiguration, _ group: any EventLoopGroup, _ context: ServiceContext
  ) -> (trail: AuditTrail?, services: [any Service]) {
    guard configuration.accounts != nil else { return (nil, []) }
    for (name, text) in AuditTrail.descriptions { context.metrics.describe(name, text) }
    let redis = RedisClient(configuration: configuration.redis, eventLoopGroup: group, logger: context.logger)
    let trail = AuditTrail(redis, service: "gateway", logger: context.logger)
    return (trail, [redis, trail])
  }

  /// Who may come in, and the services that this takes.
  private static func door(
    _ configuration: GatewayConfiguration, _ context: ServiceContext
  ) async throws -> (gate: any Gatekeeper, cache: CachedAccess?, devices: Devices?, keyring: TokenKeyring?, services: [any Service]) {
    guard let accounts = configuration.accounts else {
      context.logger.warning("Authentication is off: whoever reaches \(configuration.server.host) may see and command every appliance")
      return (LocalGatekeeper(), nil, nil, nil, [])
    }
    let pool = PostgresPool(accounts.postgres, limits: .init(connectionsMax: 4, waitersMax: 8192), logger: context.logger)
    _ = try await pool.query("SELECT 1", timeout: .seconds(5))
    let store = AccountStore(pool)
    let cache = CachedAccess(store)
    let keyring = await accounts.tokens.secrets?.makeKeyring(logger: context.logger)
    let (verifier, publishedKeys) = try await accounts.tokens.makeVerifier(keyring, logger: context.logger)
    let devices = Devices(verifier: verifier, directory: store, controllers: WebMACSStore(pool))
    let keys: [(any Service)?] = [keyring, publishedKeys]
    return (AccessGate(verifier: verifier, directory: cache), cache, devices, keyring, [pool] + keys.compactMap(\.self))
  }
}
