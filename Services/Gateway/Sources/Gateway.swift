internal import Access
internal import AuditTrail
internal import EventLog
internal import Logging
internal import Models
internal import NIOCore
internal import ServiceLifecycle
internal import WebSocketTransport

/// The gateway's parts put together, whatever stands behind its ports.
struct Gateway: Sendable {
  /// What stands behind the ports.
  struct Ports: Sendable {
    let gate: any Gatekeeper
    /// What the gate remembers, to be forgotten when something has changed; nil where it remembers nothing.
    let cache: CachedAccess?
    /// Nil where there are no accounts.
    let devices: Devices?
    let board: PresenceBoard?
    let audit: AuditTrail?
    let log: any EventLog
    /// Makes the live feed of a receiver; called on the event loop on which the receiver lives.
    let liveFeed: @Sendable (any EventLoop, any LiveReceiver) -> any LiveFeed
  }

  struct Settings: Sendable {
    var server: WebSocketServerConfiguration
    var session = SessionLimits()
    var oht50 = OHT50Limits()
    var roles = RoleTable.standard
    var queueBytesMax = 256 * 1024
    /// Whether pages of other sites are kept out: where there are no tokens, a browser on the network could be made to command an appliance.
    var refusesForeignPages = false
    /// Names this process among its replicas.
    var replica: String
  }

  let server: WebSocketServer
  private let jobs = Neighbours.Jobs()
  private let hubs: [NIOLoopBound<LoopHub>]
  let liveFeed: any LiveFeed
  let canary: Canary
  private let census: ConsoleCensusService
  let metrics: GatewayMetrics

  /// - Parameter listening: called once with the port, when clients are accepted.
  init(
    _ settings: Settings, ports: Ports, eventLoopGroup: any EventLoopGroup, logger: Logger,
    listening: @escaping @Sendable (_ port: Int) -> Void = { _ in }
  ) async throws {
    let loops = Array(eventLoopGroup.makeIterator())
    guard let feedLoop = loops.first else { preconditionFailure("a group without a loop") }
    let canary = Canary(replica: settings.replica) { try await ports.log.publish($0, to: $1) }
    let consoles = ConsoleCensus(replica: settings.replica)
    let feed = try await feedLoop.submit { [jobs] in
      NIOLoopBound(EventFeed(eventLoop: feedLoop, loopIndex: 0, log: ports.log, jobs: jobs.log), eventLoop: feedLoop)
    }.get()
    let handle = FeedHandle(feed)
    let hubs = try await Self.makeHubs(loops, settings, feed: handle)
    liveFeed = try await feedLoop.submit {
      let channels = ports.liveFeed(feedLoop, feed.value)
      feed.value.connect(hubs: hubs, channels: channels)
      Self.listenToChanges(feed.value, ports, hubs)
      feed.value.listen(to: canary.channel, subscribed: {}, message: { canary.heard($0) })
      feed.value.listen(to: Bus.consoles, subscribed: {}, message: { consoles.heard($0) })
      return channels
    }.get()
    let neighbours = Neighbours(
      gate: ports.gate, devices: ports.devices, board: ports.board, log: ports.log, audit: ports.audit, jobs: jobs,
      limits: settings.session, roles: settings.roles, oht50: settings.oht50, consoles: consoles, logger: logger)
    server = WebSocketServer(
      configuration: settings.server,
      routes: Dialects.endpoints(neighbours).map { $0.route(hubs, neighbours, refusesForeignPages: settings.refusesForeignPages) },
      eventLoopGroup: eventLoopGroup, logger: logger, listening: listening)
    self.hubs = hubs
    self.canary = canary
    census = ConsoleCensusService(census: consoles, log: ports.log)
    metrics = GatewayMetrics(server: server, hubs: hubs, feed: handle)
  }

  /// In the order of dependency. A live feed that keeps a connection is a service of its own.
  var services: [any Service] { [liveFeed as? any Service].compactMap { $0 } + jobs.all + [census, server] }

  /// Asks anew about every client, as after a change of its user: a secret that signed some of their tokens is gone.
  func recheckEverybody() { Self.tell(.everything, hubs) }

  private static func makeHubs(_ loops: [any EventLoop], _ settings: Settings, feed: FeedHandle) async throws -> [NIOLoopBound<LoopHub>] {
    var hubs: [NIOLoopBound<LoopHub>] = []
    for (index, loop) in loops.enumerated() {
      let hub = loop.submit {
        NIOLoopBound(
          LoopHub(index: index, eventLoop: loop, queueBytesMax: settings.queueBytesMax, roles: settings.roles, feed: feed), eventLoop: loop)
      }
      hubs.append(try await hub.get())
    }
    return hubs
  }

  /// Something of users, appliances or their sharing has changed, or, after a reconnect, anything may have: that is asked anew.
  private static func listenToChanges(_ feed: EventFeed, _ ports: Ports, _ hubs: [NIOLoopBound<LoopHub>]) {
    let changed = { (change: AccessChange) in
      ports.cache?.invalidate(change)
      ports.devices?.invalidate(change)
      tell(change, hubs)
    }
    feed.listen(to: Bus.changes, subscribed: { changed(.everything) }, message: { changed(AccessChange($0)) })
  }

  private static func tell(_ change: AccessChange, _ hubs: [NIOLoopBound<LoopHub>]) {
    for hub in hubs { hub.eventLoop.execute { hub.value.accessChanged(change) } }
  }
}
