internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// Those of one event loop who listen to one module in its own dialect: UIs, and the module itself for its commands. Each frame is encoded once for all of them. Confined to its
/// event loop.
final class ReefnetAudience: Audience {
  let dialect = Dialect.reefnet
  private let topic: Topic
  private let hub: LoopHub
  private var members: [ReefnetMember] = []
  /// The frames of this tick, one behind the other, and each by itself.
  private var frames = ByteBuffer()
  private var pieces: [DeliveryLane.Frame] = []
  private var commands: [Command] = []
  private var steps: [(event: Event, commandID: String)] = []

  init(_ topic: Topic, hub: LoopHub) {
    self.topic = topic
    self.hub = hub
  }

  /// Whether live events come.
  var isLive: Bool { topic.isLive }
  var module: ApplianceID { topic.appliance }

  func add(_ member: ReefnetMember) {
    member.slot = members.count
    members.append(member)
    hub.counters.subscriptions += 1
  }

  func remove(_ member: ReefnetMember) {
    members.swapAt(member.slot, members.count - 1)
    members[member.slot].slot = member.slot
    members.removeLast()
    hub.counters.subscriptions -= 1
    if members.isEmpty { hub.left(topic, self) }
  }

  func becameLive(position: EventID) {
    for member in members { member.session?.becameLive(module) }
  }

  // MARK: Delivery

  func append(_ message: UnsafeRawBufferPointer, id: EventID?) {
    guard let type = EventGlance.type(of: message), Self.isHeard(type), let event = try? Event(parsing: Array(message)) else { return }
    switch type {
    case .reefnetStatus, .reefnetAlarm: append(event.data, event)
    case .alarmAcknowledged: if let frame = ReefnetServerMessage.acknowledgedAlarm(event) { append(frame, event) }
    case .commandRequested: if let command = Command(requestedBy: event) { commands.append(command) }
    default: if let id = event.commandID { steps.append((event, id)) }
    }
  }

  private static func isHeard(_ type: EventType) -> Bool {
    [.reefnetStatus, .reefnetAlarm, .alarmAcknowledged, .commandRequested, .commandSent, .commandAcknowledged, .commandFailed].contains(
      type)
  }

  private func append(_ text: [UInt8], _ event: Event) {
    let frame = Self.frame(text, event)
    frames.writeImmutableBuffer(frame.bytes)
    pieces.append(frame)
  }

  static func frame(_ text: [UInt8], _ event: Event) -> DeliveryLane.Frame {
    var bytes = ByteBufferAllocator().buffer(capacity: text.count + FrameEncoder.headerBytesMax)
    text.withUnsafeBytes { FrameEncoder.append(text: $0, to: &bytes) }
    return DeliveryLane.Frame(bytes: bytes, appliance: event.applianceID, type: event.type, id: event.id)
  }

  /// Gives this tick's frames to every UI, then what became of commands to those who sent them, and to the module what it is told to do.
  func flush() {
    if !pieces.isEmpty { tell(pieces.map(roles)) }
    for (event, id) in steps {
      for member in members { member.session?.told(event, commandID: id) }
    }
    if !commands.isEmpty { for member in members where member.isModule { member.session?.take(commands) } }
    // Clients hold what they were given: a new buffer, so that it is not copied.
    frames = ByteBuffer()
    pieces = []
    steps = []
    commands = []
  }

  /// The roles that get a frame. That an alarm was acknowledged is told as an `alarm` frame, so it is for those only who get alarms.
  private func roles(of piece: DeliveryLane.Frame) -> RoleSet {
    let roles = hub.audience(of: piece.type)
    return piece.type == .alarmAcknowledged ? roles.intersection(hub.audience(of: .reefnetAlarm)) : roles
  }

  /// Gives every UI the frames that its user's role gets: nearly always all of them.
  private func tell(_ roles: [RoleSet]) {
    let areForAll = roles.allSatisfy { $0 == .everyone }
    for member in members where !member.isModule {
      if areForAll {
        member.take(frames, pieces)
      } else {
        let permitted = zip(pieces, roles).filter { $1.contains(member.role) }.map(\.0)
        var joined = ByteBuffer()
        for piece in permitted { joined.writeImmutableBuffer(piece.bytes) }
        if !permitted.isEmpty { member.take(joined, permitted) }
      }
    }
  }
}

/// One connection's place in the audience of one module.
final class ReefnetMember {
  let audience: ReefnetAudience
  private let outlet: Outlet
  weak var session: ReefnetSession?
  /// Whether the connection is the module's own.
  let isModule: Bool
  var slot = -1
  /// What the user may do with the module.
  var role = Permission.watch
  /// The last status that the UI was given.
  private var status = EventID.zero

  init(_ audience: ReefnetAudience, _ outlet: Outlet, _ session: ReefnetSession, isModule: Bool) {
    self.audience = audience
    self.outlet = outlet
    self.session = session
    self.isModule = isModule
  }

  /// - Parameters:
  ///   - frames: those of a tick, one behind the other.
  ///   - pieces: the same, each by itself.
  fileprivate func take(_ frames: ByteBuffer, _ pieces: [DeliveryLane.Frame]) {
    let statuses = pieces.lazy.filter { $0.type == .reefnetStatus }.compactMap(\.id)
    if outlet.isFlowing, statuses.allSatisfy({ $0 > status }) {
      outlet.connection.send(frames: frames)
      outlet.hub.counters.deliveries += pieces.count
      outlet.hub.counters.deliveredBytes += frames.readableBytes
    } else {
      for piece in pieces where piece.type != .reefnetStatus || piece.id ?? .zero > status { outlet.pass(piece) }
    }
    status = statuses.reduce(status) { max($0, $1) }
  }

  /// The module's last status as it was found in the log; one that is live may have been faster.
  func take(last event: Event) {
    guard let id = event.id, id > status, outlet.hub.audience(of: event.type).contains(role) else { return }
    status = id
    outlet.pass(ReefnetAudience.frame(event.data, event))
  }
}
