internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// The subscribers of one appliance that get its events as the bus carries them, each one and in order (the Epicura document). Confined to its event loop.
final class EventAudience: SubscriberAudience {
  let dialect = Dialect.epicura
  let topic: Topic
  private let hub: LoopHub

  private(set) var members: [Membership] = []
  /// The frames of this tick, one behind the other.
  private var frames = ByteBuffer()
  private var frameEnds: [Int] = []
  /// Commands whose outcome is among this tick's frames.
  private var settled: [String] = []

  init(_ topic: Topic, hub: LoopHub) {
    self.topic = topic
    self.hub = hub
  }

  func enter(_ subscriber: Subscriber) -> Membership {
    let member = Membership(self, subscriber)
    member.slot = members.count
    members.append(member)
    return member
  }

  func remove(_ member: Membership) {
    members.swapAt(member.slot, members.count - 1)
    members[member.slot].slot = member.slot
    members.removeLast()
    if members.isEmpty { hub.left(topic, self) }
  }

  func becameLive(position: EventID) {
    for member in members { member.position = max(member.position, position) }
    for member in members { member.subscriber.session?.topicBecameLive(topic.appliance, position: member.position) }
  }

  func append(_ message: UnsafeRawBufferPointer, id: EventID?) {
    FrameEncoder.append(text: message, to: &frames)
    frameEnds.append(frames.writerIndex)
    if let command = EventGlance.settledCommandID(of: message) { settled.append(command) }
  }

  /// Gives this tick's frames to every member: as one buffer to those that keep up, one by one to the lanes of the others.
  func flush() {
    let (frameCount, byteCount) = (frameEnds.count, frames.readableBytes)
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
    hub.counters.deliveries += count * frameCount
    hub.counters.deliveredBytes += count * byteCount
    tellSettled()
    frameEnds.removeAll(keepingCapacity: true)
    if frames.capacity > Self.keptBytesMax { frames = ByteBuffer() } else { frames.clear() }
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
          bytes: ByteBuffer(bytes: bytes), appliance: topic.appliance, type: EventGlance.type(of: message), id: EventGlance.id(of: message),
          commandID: EventGlance.commandID(of: message))
      }
    }
  }
}
