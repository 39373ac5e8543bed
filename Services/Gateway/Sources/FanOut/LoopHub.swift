internal import Commands
internal import Models
internal import NIOCore
internal import Store

/// What one event loop has done; plain integers, read by a hop to the loop.
struct HubCounters: Sendable {
  var sessions = 0
  var subscriptions = 0
  /// Events sent straight to a client.
  var deliveries = 0
  var deliveredBytes = 0
  /// Frames that had to wait for a slow client.
  var queued = 0
  /// Telemetry that a slow client was spared.
  var conflated = 0
  var slowCloses = 0
  /// Subscriptions that asked for what they missed, by whether the log had it all.
  var recoveries = 0
  var incompleteRecoveries = 0
  /// Events that those were sent from the log.
  var recovered = 0
  /// Commands that were accepted, and that were not.
  var commandsAccepted = 0
  var commandsRefused = 0
  /// Readings of controllers that were taken in, and that were refused.
  var datapointsAccepted = 0
  var datapointsRefused = 0
  /// Appends of their batches that failed and were tried again.
  var appendFailures = 0
  /// Readings in the log that went to no app here, because a newer one of their sensor came within 200 ms.
  var datapointsThrottled = 0
  /// Events of robots that consoles here were spared, because a newer one of their type came before its rate let them go.
  var paced = 0

  /// Frames of heater modules that were taken in, and frames of modules and their UIs that were not acted on.
  var moduleFrames = 0
  var framesRefused = 0

  static func += (left: inout Self, right: Self) {
    left.sessions += right.sessions
    left.subscriptions += right.subscriptions
    left.deliveries += right.deliveries
    left.deliveredBytes += right.deliveredBytes
    left.queued += right.queued
    left.conflated += right.conflated
    left.slowCloses += right.slowCloses
    left.recoveries += right.recoveries
    left.incompleteRecoveries += right.incompleteRecoveries
    left.recovered += right.recovered
    left.commandsAccepted += right.commandsAccepted
    left.commandsRefused += right.commandsRefused
    left.datapointsAccepted += right.datapointsAccepted
    left.datapointsRefused += right.datapointsRefused
    left.appendFailures += right.appendFailures
    left.datapointsThrottled += right.datapointsThrottled
    left.moduleFrames += right.moduleFrames
    left.framesRefused += right.framesRefused
    left.paced += right.paced
  }
}

extension HubCounters {
  mutating func count(_ answer: CommandDesk.Answer) {
    if case .accepted = answer { commandsAccepted += 1 } else { commandsRefused += 1 }
  }

  /// - Parameter isWhole: whether the log had all that was missed.
  mutating func countRecovery(isWhole: Bool) {
    recoveries += 1
    if !isWhole { incompleteRecoveries += 1 }
  }
}

/// What a session hears from its hub.
protocol HubSession: AnyObject {
  /// Place in the hub's array.
  var hubSlot: Int { get set }
  /// Once a second: deadlines.
  func tick()
  /// Users, appliances, their sharing or tokens have changed.
  func accessChanged(_ change: AccessChange)
}

/// The fan-out of one event loop: its topics and its sessions. Confined to that loop.
final class LoopHub {
  let index: Int
  let eventLoop: any EventLoop
  /// What may wait for one client, in bytes.
  let queueBytesMax: Int
  private let roles: RoleTable
  /// Who gets which type, as far as it was asked.
  private var audiences: [EventType: RoleSet] = [:]
  private let feed: FeedHandle

  private var topics: [ApplianceID: Topic] = [:]
  private var changedTopics: [Topic] = []
  private var sessions: [any HubSession] = []
  private var lastTicket = 0
  var counters = HubCounters()

  /// A tick with more than this is sent in parts, so that a client that stops reading has at most so much in its socket's queue.
  private static let tickBytesMax = 64 * 1024

  init(index: Int, eventLoop: any EventLoop, queueBytesMax: Int, roles: RoleTable, feed: FeedHandle) {
    self.index = index
    self.eventLoop = eventLoop
    self.queueBytesMax = queueBytesMax
    self.roles = roles
    self.feed = feed
    scheduleTick()
  }

  // MARK: Sessions

  func add(_ session: any HubSession) {
    session.hubSlot = sessions.count
    sessions.append(session)
    counters.sessions += 1
  }

  func remove(_ session: any HubSession) {
    let slot = session.hubSlot
    guard slot >= 0, slot < sessions.count else { return }
    sessions.swapAt(slot, sessions.count - 1)
    sessions[slot].hubSlot = slot
    sessions.removeLast()
    session.hubSlot = -1
    counters.sessions -= 1
  }

  func accessChanged(_ change: AccessChange) {
    for session in sessions { session.accessChanged(change) }
  }

  private func scheduleTick() {
    eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in
      guard let self else { return }
      for session in self.sessions { session.tick() }
      self.scheduleTick()
    }
  }

  // MARK: Topics

  /// The listeners of one dialect to an appliance. The first of all that ask makes the feed listen.
  ///
  /// - Parameter make: makes them where there are none; one class for each dialect.
  func audience<Kind: Audience>(of appliance: ApplianceID, in dialect: Dialect, make: (Topic) -> Kind) -> Kind {
    let topic = topic(of: appliance)
    if let known = topic.audience(of: dialect) as? Kind { return known }
    let audience = make(topic)
    topic.add(audience)
    return audience
  }

  private func topic(of appliance: ApplianceID) -> Topic {
    if let known = topics[appliance] { return known }
    lastTicket += 1
    let topic = Topic(appliance, ticket: lastTicket)
    topics[appliance] = topic
    feed.want(appliance, loop: index, ticket: lastTicket)
    return topic
  }

  /// An audience has lost its last member. The last audience makes the feed stop listening.
  func left(_ topic: Topic, _ audience: any Audience) {
    topic.remove(audience)
    guard topic.isIdle, topics[topic.appliance] === topic else { return }
    topics[topic.appliance] = nil
    feed.giveUp(topic.appliance, loop: index)
  }

  /// The feed delivers the appliance's events behind `position` to this loop from now on.
  func becameLive(_ appliance: ApplianceID, ticket: Int, position: EventID) {
    guard let topic = topics[appliance], topic.ticket == ticket, !topic.isLive else { return }
    topic.becameLive(position: position)
  }

  // MARK: Delivery

  /// The roles that get events of this type; everyone, where the type cannot be told.
  func audience(of type: EventType?) -> RoleSet {
    guard let type else { return .everyone }
    if let known = audiences[type] { return known }
    if audiences.count >= Self.typesMax { audiences.removeAll() }
    let audience = roles.audience(of: type)
    audiences[type] = audience
    return audience
  }

  /// Types that are remembered; a device may make up any number.
  private static let typesMax = 1024

  func append(_ message: UnsafeRawBufferPointer, id: EventID?, of appliance: ApplianceID) {
    guard let topic = topics[appliance] else { return }
    if topic.pendingBytes == 0 { changedTopics.append(topic) }
    topic.append(message, id: id)
    guard topic.pendingBytes > Self.tickBytesMax else { return }
    topic.flush()
    changedTopics.removeAll { $0 === topic }
  }

  /// Ends a tick: everything appended goes out, once to each member.
  func flush() {
    for topic in changedTopics { topic.flush() }
    changedTopics.removeAll(keepingCapacity: true)
  }
}
