internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// What the session of a subscriber hears from its topics.
protocol SubscriberSession: AnyObject {
  /// Live events of the appliance come from now on; those up to `position` are in the log.
  func topicBecameLive(_ appliance: ApplianceID, position: EventID)
  /// The outcome of a command of this session went out to the client.
  func commandSettled(_ id: String)
}

/// One client of the fan-out that names its topics. Confined to its event loop.
final class Subscriber: Outlet {
  /// Who hears that a topic became live. It owns this subscriber.
  weak var session: (any SubscriberSession)?
  private let enter: (Subscriber, ApplianceID) -> Membership
  private var memberships: [ApplianceID: Membership] = [:]

  /// - Parameter enter: gives the subscriber a place among those who listen to the appliance in its dialect.
  init(_ connection: WebSocketConnection, hub: LoopHub, enter: @escaping (Subscriber, ApplianceID) -> Membership) {
    self.enter = enter
    super.init(connection, hub: hub)
  }

  // MARK: Topics

  /// Begins to listen to an appliance, or holds what comes from it anew. What comes waits until `deliver`. Answers the place in the log behind
  /// which it begins; nil when the topic is not live yet.
  func join(_ appliance: ApplianceID, as role: Permission) -> EventID? {
    let member = member(of: appliance)
    member.role = role
    if member.gate == nil { hub.counters.subscriptions += 1 }
    member.hold(bytesMax: hub.queueBytesMax)
    return member.topic.isLive ? member.position : nil
  }

  private func member(of appliance: ApplianceID) -> Membership {
    if let known = memberships[appliance] { return known }
    let member = enter(self, appliance)
    memberships[appliance] = member
    return member
  }

  /// The user may do so much with the appliance from now on.
  func permit(_ appliance: ApplianceID, _ role: Permission) { memberships[appliance]?.role = role }

  /// The subscriber's place among those who listen to the appliance, if it has one.
  func membership(of appliance: ApplianceID) -> Membership? { memberships[appliance] }

  /// Begins to hear what becomes of a command, with or without a subscription. True when the topic is live.
  func listen(_ appliance: ApplianceID, commandID: String) -> Bool {
    let member = member(of: appliance)
    member.listen(commandID: commandID)
    return member.topic.isLive
  }

  func unlisten(_ appliance: ApplianceID, commandID: String) {
    guard let member = memberships[appliance] else { return }
    member.unlisten(commandID: commandID)
    removeIfIdle(member)
  }

  /// What becomes of a command goes out from now on.
  func release(_ appliance: ApplianceID, commandID: String) {
    if memberships[appliance]?.release(commandID: commandID) == true { session?.commandSettled(commandID) }
  }

  /// Tells an event of a command's life that was read from the log, unless it went out already.
  func tellMissed(_ event: Event) {
    if memberships[event.applianceID]?.tellsMissed(event) ?? true { reply(event.encoded()) }
  }

  /// Tells the client what it missed, in pieces for as long as it takes them, and then what was held and is new to it.
  ///
  /// What it does not take is not kept: the log keeps it. So a long past costs a slow client time, and nobody memory.
  func deliver(_ recovery: Recovery, of appliance: ApplianceID) -> Delivery {
    var known = recovery.known
    guard let member = memberships[appliance] else { return .whole }
    var missed = recovery.missed.filter { $0.id.map { !member.told.contains($0) } ?? true }[...]
    let count = missed.count
    defer { hub.counters.recovered += count - missed.count }
    while !missed.isEmpty {
      guard isFlowing else {
        member.gate?.letGo()
        return .part(known)
      }
      var piece = ByteBuffer()
      while let event = missed.first, piece.readableBytes < Self.catchUpBytes {
        event.encoded().withUnsafeBytes { FrameEncoder.append(text: $0, to: &piece) }
        known.add(event)
        member.note(event)
        missed.removeFirst()
      }
      connection.send(frames: piece)
    }
    let position = max(member.position, member.topic.position)
    guard let held = member.gate?.release(known, position: position) else { return .part(known) }
    member.known = known
    hub.counters.conflated += held.conflatedCount
    for frame in held.frames { pass(frame) }
    return .whole
  }

  func leave(_ appliance: ApplianceID) {
    guard let member = memberships[appliance], member.gate != nil else { return }
    hub.counters.subscriptions -= 1
    member.endSubscription()
    removeIfIdle(member)
  }

  private func removeIfIdle(_ member: Membership) {
    guard member.gate == nil, member.commands.isEmpty else { return }
    memberships[member.topic.appliance] = nil
    member.audience.remove(member)
  }

  func leaveAll() {
    for (appliance, member) in memberships {
      for command in member.commands { member.unlisten(commandID: command) }
      if member.gate == nil { removeIfIdle(member) } else { leave(appliance) }
    }
    forgetWaiting()
  }
}
