internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// The consoles of one event loop that watch one robot. Each event is encoded once for all of them, and the frames of a tick are joined once for all that want the same of the robot. Confined to its
/// event loop.
///
/// The console's frame is the bus's own: the document's, with `appliance_id` and `id` beside it.
final class ConsoleAudience: SubscriberAudience {
  let dialect = Dialect.oht50
  let topic: Topic
  private let hub: LoopHub
  private var members: [ConsoleMembership] = []
  private var profiles: [ConsoleProfile] = []
  private var places = ConsolePlaces()
  private var safety = SafetyMemory()
  private let eventsPerSecond: Int
  private var budget: TokenBucket
  private var timer: Scheduled<Void>?

  init(_ topic: Topic, hub: LoopHub, eventsPerSecond: Int) {
    self.topic = topic
    self.hub = hub
    self.eventsPerSecond = eventsPerSecond
    budget = TokenBucket(burst: eventsPerSecond, perSecond: Double(eventsPerSecond))
  }

  // MARK: Members

  func enter(_ subscriber: Subscriber, _ session: ConsoleSession?) -> Membership {
    let member = ConsoleMembership(self, subscriber, session)
    member.slot = members.count
    members.append(member)
    return member
  }

  func remove(_ member: Membership) {
    let removed = members[member.slot]
    members.swapAt(member.slot, members.count - 1)
    members[member.slot].slot = member.slot
    members.removeLast()
    show(nil, to: removed)
    guard members.isEmpty else { return }
    timer?.cancel()
    hub.left(topic, self)
  }

  /// What a member wants from now on; nil for nothing.
  func show(_ view: ConsoleView?, to member: ConsoleMembership) {
    let former = member.profile
    guard view != former?.view else { return }
    if let former {
      former.remove(member)
      if former.isEmpty { profiles.removeAll { $0 === former } }
    }
    member.profile = view.map { profile(for: member, of: $0, after: former) }
    // What waited may be due by now.
    if former != nil { flush() }
  }

  private func profile(for member: ConsoleMembership, of view: ConsoleView, after former: ConsoleProfile?) -> ConsoleProfile {
    if let known = profiles.first(where: { $0.view == view }) {
      known.add(member, after: former)
      return known
    }
    let profile = ConsoleProfile(view, hub: hub, types: places.types, after: former)
    profile.add(member)
    profiles.append(profile)
    return profile
  }

  func becameLive(position: EventID) {
    for member in members { member.position = max(member.position, position) }
    for member in members { member.session?.topicBecameLive(topic.appliance, position: member.position) }
  }

  // MARK: Delivery

  func append(_ message: UnsafeRawBufferPointer, id: EventID?) {
    guard let type = EventGlance.type(of: message) else { return }
    guard let family = OHT50Family(type) else { return tellOutcome(message, type) }
    // Also of types that nobody wants: what comes after them is no repeat.
    let isUrgent = type.isSafety && safety.isNew(type, message)
    let place = places.place(of: type, in: family) { for profile in profiles { profile.add(type) } }
    let takers = profiles.filter { $0.turn(place, to: type) }
    guard !takers.isEmpty else { return }
    var bytes = ByteBuffer()
    FrameEncoder.append(text: message, to: &bytes)
    let frame = DeliveryLane.Frame(bytes: bytes, appliance: topic.appliance, type: type, id: id)
    let now = ContinuousClock.now
    let isDue = takers.contains { $0.isDue(place.index, at: now) }
    let hasRoom = isUrgent || !isDue || budget.spend(at: .now())
    let earliest = hasRoom ? nil : now + .seconds(1) / eventsPerSecond
    for profile in takers { profile.offer(frame, place.index, isUrgent: isUrgent, earliest: earliest, at: now) }
  }

  func flush() {
    let now = ContinuousClock.now
    for profile in profiles { profile.flush(at: now) }
    timer?.cancel()
    timer = profiles.lazy.compactMap(\.next).min().map { due in
      hub.eventLoop.assumeIsolated().scheduleTask(in: max(.microseconds(100), TimeAmount(due - now))) { [weak self] in
        self?.timer = nil
        self?.flush()
      }
    }
  }

  /// What becomes of a command goes to the console that sent it.
  private func tellOutcome(_ message: UnsafeRawBufferPointer, _ type: EventType) {
    guard members.contains(where: { !$0.commands.isEmpty }), let command = EventGlance.commandID(of: message) else { return }
    let frame = DeliveryLane.Frame(
      bytes: ByteBuffer(bytes: message), appliance: topic.appliance, type: type, id: EventGlance.id(of: message), commandID: command)
    for member in members where member.commands.contains(command) { member.take(frame) }
  }
}

/// One console's place in the audience of one robot.
final class ConsoleMembership: Membership {
  weak var session: ConsoleSession?
  /// Nil where nothing is wanted, and what becomes of commands is heard.
  var profile: ConsoleProfile?
  /// Place in the profile's array.
  var profileSlot = -1
  private let consoles: ConsoleAudience

  init(_ audience: ConsoleAudience, _ subscriber: Subscriber, _ session: ConsoleSession?) {
    self.session = session
    consoles = audience
    super.init(audience, subscriber)
  }

  /// What the console wants of the robot from now on.
  func show(_ view: ConsoleView?) { consoles.show(view, to: self) }

  /// What becomes of a command is told in the document's own words.
  override func tell(_ frame: DeliveryLane.Frame) {
    guard let command = frame.commandID else { return super.tell(frame) }
    guard let event = try? Event(parsing: Array(frame.bytes.readableBytesView)) else { return }
    session?.commandWent(command, event)
  }
}

/// Where each event type of one robot stands in the pacers: the document's types first, and then the robot's own as they come. Pure.
struct ConsolePlaces {
  struct Place: Hashable {
    let index: Int
    /// With other types of its family: of what waits there only the newest of them all goes.
    let isShared: Bool
  }

  /// Of a robot's own types. Those beyond share one place for each family.
  private static let ownMax = 64

  /// One for each place; where several share it, the first that came.
  private(set) var types = OHT50EventType.allCases.map(\.eventType)
  private var places: [EventType: Int]
  private var sharedPlaces: [OHT50Family: Int] = [:]

  init() { places = Dictionary(uniqueKeysWithValues: types.enumerated().map { ($1, $0) }) }

  /// - Parameter added: called where a place is new, and this type its first.
  mutating func place(of type: EventType, in family: OHT50Family, added: () -> Void) -> Place {
    if let index = places[type] { return Place(index: index, isShared: false) }
    let isShared = places.count == OHT50EventType.allCases.count + Self.ownMax
    if isShared, let index = sharedPlaces[family] { return Place(index: index, isShared: true) }
    if isShared { sharedPlaces[family] = types.count } else { places[type] = types.count }
    types.append(type)
    added()
    return Place(index: types.count - 1, isShared: isShared)
  }
}

/// The last safety event of a robot, whatever its type: only one that says the same again is a repeat (SPEC, section 3). Pure.
struct SafetyMemory {
  private var last: (type: EventType, data: [UInt8])?

  mutating func isNew(_ type: EventType, _ message: UnsafeRawBufferPointer) -> Bool {
    let said = (try? Event(parsing: Array(message))).map { (type: type, data: $0.data) }
    defer { last = said }
    guard let said, let last else { return true }
    return said != last
  }
}
