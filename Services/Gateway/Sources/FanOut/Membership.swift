internal import Models

/// Those who listen to one appliance in a dialect that gives each event as a frame of its own.
protocol SubscriberAudience: Audience {
  var topic: Topic { get }
  func remove(_ member: Membership)
}

/// One subscriber's place in one topic: as a subscription, or only to hear what becomes of its own commands.
class Membership {
  let audience: any SubscriberAudience
  let subscriber: Subscriber
  var slot = -1
  /// Nil where there is no subscription.
  var gate: SubscriptionGate?
  /// The subscriber's commands that have no outcome yet.
  private(set) var commands: Set<String> = []
  /// What becomes of those that were sent before the topic was live: it waits until `release`, behind what was missed.
  private var held: [String: [DeliveryLane.Frame]] = [:]
  /// What the user may do with the appliance: which events they get depends on it.
  var role = Permission.watch
  /// Events of those that went out beside a subscription.
  private(set) var told: Set<EventID> = []
  /// What the subscriber had been told when its gate let go of what it held.
  var known = KnownEvents(since: .zero) { didSet { knownEnd = known.end } }
  /// All events behind this one are new to it.
  private(set) var knownEnd = EventID.zero
  /// Live events that come to the gate since its hold began are all behind this one, and those up to it were in the log by then.
  var position: EventID

  init(_ audience: any SubscriberAudience, _ subscriber: Subscriber) {
    self.audience = audience
    self.subscriber = subscriber
    position = audience.topic.position
  }

  var topic: Topic { audience.topic }

  /// Whether every frame that the role gets passes, and no other.
  var isOpen: Bool { commands.isEmpty && gate?.isOpen ?? false }

  /// Begins a subscription, or holds what comes to it anew.
  func hold(bytesMax: Int) {
    gate = SubscriptionGate(bytesMax: bytesMax)
    position = topic.position
  }

  /// Ends the subscription. What becomes of commands is still heard.
  func endSubscription() {
    let held = gate?.takeHeld() ?? []
    gate = nil
    for frame in held { take(frame) }
  }

  // MARK: Commands

  /// Begins to hear what becomes of a command.
  func listen(commandID: String) {
    commands.insert(commandID)
    if !topic.isLive { held[commandID] = [] }
  }

  /// Ends that. What waited belongs to the subscription, where there is one.
  func unlisten(commandID: String) {
    commands.remove(commandID)
    _ = tellHeld(commandID)
  }

  /// Whether it tells what becomes of one of the subscriber's commands.
  func isOwn(_ frame: DeliveryLane.Frame) -> Bool { frame.commandID.map(commands.contains) ?? false }

  /// Whether what becomes of the command goes out as it comes.
  func hears(_ commandID: String) -> Bool { commands.contains(commandID) && held[commandID] == nil }

  /// All that was missed of the command's life was told: what waited goes out. Answers whether its outcome is among that.
  func release(commandID: String) -> Bool {
    tellHeld(commandID).contains { $0.type == .commandAcknowledged || $0.type == .commandFailed }
  }

  /// Whether an event of a command's life that was read from the log has not gone out; it does now.
  func tellsMissed(_ event: Event) -> Bool { event.id.map { told.insert($0).inserted } ?? true }

  /// The subscription tells an event of the log's.
  func note(_ event: Event) {
    guard !commands.isEmpty, let id = event.id, let command = event.commandID, commands.contains(command) else { return }
    told.insert(id)
  }

  private func tellHeld(_ commandID: String) -> [DeliveryLane.Frame] {
    let frames = held.removeValue(forKey: commandID) ?? []
    for frame in frames where frame.id.map({ !told.contains($0) }) ?? true { tell(frame) }
    return frames
  }

  // MARK: Delivery

  func take(_ frame: DeliveryLane.Frame) {
    if let command = frame.commandID, held[command] != nil {
      held[command]?.append(frame)
    } else {
      tell(frame)
    }
  }

  /// Gives the subscriber a frame through its gate; beside it what becomes of its own commands, where no subscription of its role has that.
  func tell(_ frame: DeliveryLane.Frame) {
    if gate != nil, frame.commandID == nil || subscriber.hub.audience(of: frame.type).contains(role) {
      if gate?.passes(frame) == true { subscriber.pass(frame) }
    } else if isOwn(frame) {
      if let id = frame.id { told.insert(id) }
      subscriber.pass(frame)
    }
  }
}
