import Backoff
package import Logging
import Models
package import NIOCore
import OutboundGate
package import PostgresClient
import ServiceLifecycle
import Store
import Synchronization

/// Delivers what waits in PostgreSQL. Any number of replicas may: a webhook's deliveries are dealt out under a lock of its row, each under a lease, which
/// somebody else takes over when it runs out. So a message is tried at least once, and again under the same `webhook-id` if a replica died over it.
///
/// One loop notes what has ended and takes what is due, both in one transaction; attempts run beside it, as many as `EndpointSlots` allows.
package struct WebhookDispatcher: Service {
  private let pool: PostgresPool
  private let sender: WebhookSender
  private let limits: WebhookLimits
  private let logger: Logger
  private let metrics = WebhookMetrics()
  private let inbox = Inbox()

  /// `# HELP` for each metric.
  package static var metricDescriptions: [String: String] { WebhookMetrics.descriptions }

  /// - Parameter pool: its role is `martlet_rules`; one connection is enough.
  package init(_ configuration: WebhookConfiguration, pool: PostgresPool, group: any EventLoopGroup, logger: Logger) {
    self.init(configuration, pool: pool, resolver: NameResolver(group, timeout: configuration.limits.lookupTimeout), group, logger)
  }

  init(
    _ configuration: WebhookConfiguration, pool: PostgresPool, resolver: NameResolver, _ group: any EventLoopGroup, _ logger: Logger
  ) {
    (self.pool, self.limits, self.logger) = (pool, configuration.limits, logger)
    let clients = PinnedClients(group, connectTimeout: configuration.limits.connectTimeout, caFile: configuration.caFile)
    sender = WebhookSender(gate: configuration.gate, resolver: resolver, clients: clients, timeout: configuration.limits.attemptTimeout)
  }

  /// Attempts that have ended, and a bell for whatever the loop should look at.
  private final class Inbox: Sendable {
    let rings: AsyncStream<Void>
    private let bell: AsyncStream<Void>.Continuation
    /// Bounded by the places for attempts.
    private let endings = Mutex<[Verdict]>([])
    private let isStopping = Atomic(false)

    init() { (rings, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func ring() { bell.yield() }
    func put(_ ending: Verdict) {
      endings.withLock { $0.append(ending) }
      ring()
    }
    func take() -> [Verdict] {
      endings.withLock { endings in
        defer { endings = [] }
        return endings
      }
    }
    var stops: Bool { isStopping.load(ordering: .relaxed) }
    func stop() {
      isStopping.store(true, ordering: .relaxed)
      ring()
    }
  }

  package func run() async throws {
    await withGracefulShutdownHandler {
      await withDiscardingTaskGroup { group in
        group.addTask { await tick() }
        await dispatch(&group)
        group.cancelAll()
      }
      await sender.clients.shutDown()
      sender.resolver.shutDown()
    } onGracefulShutdown: {
      inbox.stop()
    }
  }

  private func tick() async {
    while (try? await Task.sleep(for: limits.pollInterval)) != nil {
      inbox.ring()
      await sender.clients.closeIdle()
    }
  }

  /// Until it is to stop and nothing is under way, or is cancelled.
  private func dispatch(_ group: inout DiscardingTaskGroup) async {
    var slots = EndpointSlots(limits.slots)
    var unsettled: [Verdict] = []
    var backoff = Backoff()
    for await _ in inbox.rings {
      unsettled += inbox.take()
      if inbox.stops, unsettled.isEmpty, slots.inFlight == 0 { return }
      do {
        // The places of what is about to be settled are free in this round already.
        let after = slots.ended(unsettled)
        let round = try await settleAndClaim(unsettled, after)
        slots = after
        unsettled = []
        backoff.reset()
        for (claim, endpoint) in round {
          slots.began(endpoint)
          group.addTask { await attempt(claim, at: endpoint) }
        }
        metrics.underWay(slots.inFlight)
        if !round.isEmpty || inbox.stops { inbox.ring() }
      } catch {
        metrics.databaseFailed()
        logger.warning("PostgreSQL does not take what became of webhooks; it is tried again", metadata: ["error": "\(error)"])
        guard (try? await Task.sleep(for: backoff.next())) != nil else { return }
        inbox.ring()
      }
    }
  }

  private typealias Round = [(claim: WebhookQueue.Claim, endpoint: WebhookQueue.Endpoint)]

  private func settleAndClaim(_ verdicts: [Verdict], _ slots: EndpointSlots) async throws -> Round {
    let (now, stops) = (Timestamp.now(), inbox.stops)
    let standings = Self.standings(verdicts)
    let lease = Int64.random(in: .min ... .max)
    let (round, disabled): (Round, [(id: WebhookID, because: WebhookDisabling)]) = try await pool.withTransaction { session in
      try WebhookQueue.settle(verdicts.map(\.result), in: session)
      let disabled = try WebhookQueue.note(standings, patience: limits.patience, now: now, in: session)
      guard !stops, slots.free > 0 else { return ([], disabled) }
      let endpoints = try WebhookQueue.endpoints(besides: slots.busy, limit: slots.free, in: session)
      let claims = try WebhookQueue.claim(slots.allowances(for: endpoints), lease: lease, for: limits.lease, in: session)
      let byID = Dictionary(endpoints.map { ($0.id, $0) }) { first, _ in first }
      return (claims.compactMap { claim in byID[claim.webhookID].map { (claim, $0) } }, disabled)
    }
    for (id, reason) in disabled {
      metrics.disabled(because: reason)
      logger.warning("a webhook is disabled", metadata: ["webhook": "\(id)", "reason": "\(reason.rawValue)"])
    }
    return round
  }

  /// One for each webhook: it is doing as its newest attempt says, held as long as any asks for, and gone if any says so.
  ///
  /// A success of a webhook that was healthy is no news.
  static func standings(_ verdicts: [Verdict]) -> [WebhookQueue.Standing] {
    var standings: [WebhookID: WebhookQueue.Standing] = [:]
    for standing in verdicts.map(\.standing) {
      var merged = standing
      if let before = standings[standing.id] {
        merged.heldUntil = [before.heldUntil, standing.heldUntil].compactMap { $0 }.max()
        merged.isGone = before.isGone || standing.isGone
      }
      standings[standing.id] = merged
    }
    return standings.values.filter { $0.hasFailed || $0.wasFailing }
  }

  private func attempt(_ claim: WebhookQueue.Claim, at endpoint: WebhookQueue.Endpoint) async {
    let startedAt = Timestamp.now()
    metrics.began(afterWaiting: startedAt - claim.dueAt)
    let outcome = await sender.attempt(claim, at: endpoint, now: startedAt)
    let verdict = Verdict(
      outcome, of: claim, at: endpoint, startedAt: startedAt, endedAt: .now(), schedule: limits.schedule, random: .random(in: 0...1))
    metrics.attempted(verdict)
    inbox.put(verdict)
  }
}
