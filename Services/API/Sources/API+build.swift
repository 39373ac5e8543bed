import Access
import AuditTrail
import Commands
import EventLog
import Hummingbird
import Logging
import Models
import NIOCore
import NIOPosix
import PostgresClient
import RedisClient
package import ServiceLifecycle
package import ServiceRuntime
import Store

/// Puts the API together on Redis and PostgreSQL. The only place that knows them.
package enum APIService {
  private static let poolConnections = 8
  /// Requests that wait for a database connection; one more is answered 503.
  private static let poolWaitersMax = 1024

  /// Throws a sentence for a Redis or a PostgreSQL that cannot be reached or refuses the password.
  package static func build(_ configuration: APIConfiguration, _ context: ServiceContext) async throws -> [any Service] {
    let group = context.eventLoopGroup
    try await RedisClient.check(configuration.redis, eventLoop: group.next())
    let pool = PostgresPool(
      configuration.postgres, limits: .init(connectionsMax: poolConnections, waitersMax: poolWaitersMax), logger: context.logger)
    _ = try await pool.query("SELECT 1", timeout: .seconds(5))
    let log = RedisEventLog(configuration: configuration.redis, eventLoopGroup: group, logger: context.logger)
    let redis = RedisClient(configuration: configuration.redis, eventLoopGroup: group, logger: context.logger)
    let accounts = AccountStore(pool)
    let access = CachedAccess(accounts)
    let keyring = await configuration.tokenSecrets.makeKeyring(logger: context.logger)
    let (verifier, publishedKeys) = try await configuration.tokens.makeVerifier(keyring, logger: context.logger)
    let gate = AccessGate(verifier: verifier, directory: access)

    let canary = Canary(replica: String(UInt64.random(in: .min ... .max), radix: 36)) { try await log.publish($0, to: $1) }
    let (ear, subscription) = try await listen(configuration.redis, on: group.next(), canary, access, context.logger)
    context.health.addCheck("redis", deadline: .seconds(3)) { try await canary.check() }
    context.health.addCheck("postgres", deadline: .seconds(3)) { _ = try await pool.query("SELECT 1", timeout: .seconds(2)) }

    let history = HistoryStore(pool)
    let exports = Exports(runningMax: configuration.exportsMax, gate: gate)
    let hasher = PasswordHasher(threads: configuration.passwordThreads)
    let announcer = Announcer(access: access, log: log, logger: context.logger)
    let passwords = PasswordDesk(accounts: accounts, hasher: hasher, limits: LoginGuard(configuration.logins))
    let tokens = TokenDesk(
      issuer: TokenIssuer(keyring: keyring, rules: configuration.tokens.rules), accounts: accounts,
      lifetimes: configuration.lifetimes)
    let counter = CommandCounter(desk: CommandDesk(log: log, roles: configuration.roles), log: log, history: history, ear: ear)
    APIMetrics.register(with: context.metrics, exports: exports)
    for (name, help) in AuditTrail.descriptions { context.metrics.describe(name, help) }
    let trail = AuditTrail(redis, service: "api", logger: context.logger)
    let audit = RequestAudit(trail: trail)
    var routes = LoginRoutes(passwords: passwords, tokens: tokens, announcer: announcer, audit: audit).routes
    routes += UserRoutes(accounts: accounts, passwords: passwords, announcer: announcer).routes
    routes += ApplianceRoutes(accounts: accounts, announcer: announcer).routes
    routes += ShareRoutes(accounts: accounts, announcer: announcer).routes
    let view = RoleView(roles: configuration.roles, accounts: accounts)
    routes += HistoryRoutes(history: history, exports: exports, view: view).routes
    routes += SessionRoutes(history: history, view: view).routes
    routes += CommandRoutes(counter: counter, history: history, accounts: accounts, view: view, audit: audit).routes
    routes += WatchRoutes(watches: WatchStore(pool), log: log, audit: audit, logger: context.logger).routes
    routes += PresenceRoutes(accounts: accounts, redis: redis, view: view).routes
    let webhooks = WebhookStore(pool)
    routes += WebhookRoutes(webhooks: webhooks, gate: configuration.outbound, announcer: announcer).routes
    routes += DeliveryRoutes(webhooks: webhooks).routes
    let controllers = WebMACSStore(pool)
    routes += SensorRoutes(store: controllers, announcer: announcer).routes
    routes += ExperimentRoutes(store: controllers, announcer: announcer).routes
    routes += DatapointRoutes(gate: gate, latest: LatestReadings(controllers), roles: configuration.roles).routes
    routes += RuleRoutes(rules: RuleStore(pool), view: view).routes
    routes += BacktestRoutes(history: history, accounts: accounts).routes
    routes += AlarmRoutes(alarms: AlarmStore(pool), gate: gate, view: view).routes
    routes += AuditRoutes(audit: AuditStore(pool)).routes
    routes += DocumentRoutes(of: routes.map(\.operation)).routes
    let router = Surface.router(
      routes, dispatcher: Dispatcher(gate: gate, trustedProxies: configuration.trustedProxies, audit: audit, now: { .now() }),
      edge: Edge(origins: configuration.origins, logger: context.logger))
    let parts: [(any Service)?] = [
      pool, log, redis, trail, subscription, keyring, publishedKeys, hasher,
      TokenSweeper(accounts: accounts, logger: context.logger),
      application(router, configuration, context),
    ]
    return parts.compactMap { $0 }
  }

  /// The one subscription: changes of accounts, the canary, and the outcomes that requests wait for.
  private static func listen(
    _ redis: RedisConfiguration, on loop: any EventLoop, _ canary: Canary, _ access: CachedAccess, _ logger: Logger
  ) async throws -> (LiveEarHandle, RedisSubscription) {
    var redis = redis
    redis.clientName = "martlet-api-live"
    return try await loop.submit { [redis] in
      let ear = LiveEar(canary: canary, changed: { access.invalidate($0) })
      let subscription = RedisSubscription(
        configuration: redis, eventLoop: loop, receiver: ear, logger: logger, home: Bus.home(ofChannel:))
      ear.connect(subscription)
      return (LiveEarHandle(ear, eventLoop: loop), subscription)
    }.get()
  }

  private static func application(
    _ router: Router<APIRequestContext>, _ configuration: APIConfiguration, _ context: ServiceContext
  ) -> some Service {
    var quiet = context.logger
    quiet.logLevel = max(context.logger.logLevel, .warning)
    return Application(
      router: router,
      server: .http1(
        configuration: .init(
          idleTimeout: .seconds(30),
          httpDecoderConfiguration: .init(maxHeaderFieldSize: 16_384, maxHeaderListSize: 32_768, maxHeaderFieldCount: 100))),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port),
        availableConnectionsDelegate: .maximum(configuration.connectionsMax, logger: quiet)),
      onServerRunning: { context.logger.info("listening", metadata: ["port": "\($0.localAddress?.port ?? 0)"]) },
      eventLoopGroupProvider: .shared(context.eventLoopGroup), logger: quiet)
  }
}
