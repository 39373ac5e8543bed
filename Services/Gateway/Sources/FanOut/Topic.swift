internal import Models
internal import NIOCore
internal import WebSocketTransport

/// One appliance on one event loop: who listens, and what this tick has brought. Confined to that loop.
final class Topic {
  let appliance: ApplianceID
  /// Tells this interest in the appliance from an earlier one of the same loop.
  let ticket: Int
  /// Whether the feed delivers: what is read from the log from now on leaves no gap to the live events.
  private(set) var isLive = false
  /// The last event that went through here to the members; before the first, the last one that was in the log when the topic became live.
  private(set) var position = EventID.zero

  private(set) var members: [Membership] = []
  /// The frames of this tick, one behind the other.
  private var frames = ByteBuffer()
  private var frameEnds: [Int] = []
  private var pendingPosition = EventID.zero
  /// Commands whose outcome is among this tick's frames.
  private var settled: [String] = []

  init(_ appliance: ApplianceID, ticket: Int) {
    self.appliance = appliance
    self.ticket = ticket
  }

  var pendingBytes: Int { frames.readableBytes }

  func add(_ member: Membership) {
    member.slot = members.count
    members.append(member)
  }

  func remove(_ member: Membership) {
    members.swapAt(member.slot, members.count - 1)
    members[member.slot].slot = member.slot
    members.removeLast()
  }

  /// The feed delivers from now on what is behind `position` in the log.
  func becameLive(position told: EventID) {
    isLive = true
    position = max(position, told)
    for member in members { member.position = max(member.position, told) }
  }

  func append(_ message: UnsafeRawBufferPointer, id: EventID?) {
    FrameEncoder.append(text: message, to: &frames)
    frameEnds.append(frames.writerIndex)
    if let id { pendingPosition = max(pendingPosition, id) }
    if let command = EventGlance.settledCommandID(of: message) { settled.append(command) }
  }

  /// Gives this tick's frames to every member: as one buffer to those that keep up, one by one to the lanes of the others. Answers how many
  /// members got it at once, and how many frames of how many bytes that were.
  func flush() -> (members: Int, frames: Int, bytes: Int) {
    let sent = (frames: frameEnds.count, bytes: frames.readableBytes)
    position = max(position, pendingPosition)
    var count = 0
    var separate: [DeliveryLane.Frame]?
    for member in members {
      if member.isOpen, member.subscriber.isFlowing {
        member.subscriber.connection.send(frames: frames)
        count += 1
      } else {
        let frames = separate ?? separated()
        separate = frames
        for frame in frames { member.take(frame) }
      }
    }
    tellSettled()
    frameEnds.removeAll(keepingCapacity: true)
    if frames.capacity > Self.keptBytesMax { frames = ByteBuffer() } else { frames.clear() }
    return (count, sent.frames, sent.bytes)
  }

  private func tellSettled() {
    for command in settled {
      for member in members where member.commands.contains(command) { member.subscriber.session?.commandSettled(command) }
    }
    settled.removeAll()
  }

  /// A burst must not leave its buffer behind at each appliance.
  private static let keptBytesMax = 4096

  private func separated() -> [DeliveryLane.Frame] {
    var start = 0
    return frameEnds.compactMap { end in
      defer { start = end }
      // A copy, so that a lane that keeps one frame does not keep the whole tick.
      guard let bytes = frames.getBytes(at: start, length: end - start) else { return nil }
      return bytes.withUnsafeBytes { frame in
        let header = frame.count < 2 ? 0 : frame[1] == 127 ? 10 : frame[1] == 126 ? 4 : 2
        let message = UnsafeRawBufferPointer(rebasing: frame.dropFirst(header))
        return DeliveryLane.Frame(
          bytes: ByteBuffer(bytes: bytes), appliance: appliance, type: EventGlance.type(of: message), id: EventGlance.id(of: message),
          commandID: EventGlance.commandID(of: message))
      }
    }
  }
}

/// One subscriber's place in one topic: as a subscription, or only to hear what becomes of its own commands.
final class Membership {
  let topic: Topic
  let subscriber: Subscriber
  var slot = -1
  /// Nil where there is no subscription.
  var gate: SubscriptionGate?
  /// The subscriber's commands that have no outcome yet.
  var commands: Set<String> = []
  /// Events of those that went out without a subscription.
  private(set) var told: Set<EventID> = []
  /// Live events that come to the gate since its hold began are all behind this one, and those up to it were in the log by then.
  var position: EventID

  init(_ topic: Topic, _ subscriber: Subscriber) {
    self.topic = topic
    self.subscriber = subscriber
    position = topic.position
  }

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
