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
  var commands: Set<String> = []
  /// What the user may do with the appliance: which events they get depends on it.
  var role = Permission.watch
  /// Events of those that went out without a subscription.
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

  /// Whether every frame passes.
  var isOpen: Bool { gate?.isOpen ?? false }

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

  func take(_ frame: DeliveryLane.Frame) {
    if gate != nil {
      if gate?.passes(frame) == true { subscriber.pass(frame) }
    } else if let command = frame.commandID, commands.contains(command) {
      if let id = frame.id { told.insert(id) }
      subscriber.pass(frame)
    }
  }
}
