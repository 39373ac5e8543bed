internal import Models
internal import NIOCore
internal import WebSocketTransport

/// One appliance on one event loop: who listens, and what this tick has brought. Confined to that loop.
final class Topic {
  let appliance: ApplianceID
  /// Tells this interest in the appliance from an earlier one of the same loop.
  let ticket: Int
  /// Whether the feed delivers: what is read from the log from now on leaves no gap to the live events.
  var isLive = false

  private(set) var members: [Membership] = []
  /// The frames of this tick, one behind the other.
  private var frames = ByteBuffer()
  private var frameEnds: [Int] = []

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

  func append(_ message: UnsafeRawBufferPointer) {
    FrameEncoder.append(text: message, to: &frames)
    frameEnds.append(frames.writerIndex)
  }

  /// Gives this tick's frames to every member: as one buffer to those that keep up, one by one to the lanes of the others. Answers how many
  /// members got it at once, and how many frames of how many bytes that were.
  func flush() -> (members: Int, frames: Int, bytes: Int) {
    let sent = (frames: frameEnds.count, bytes: frames.readableBytes)
    var count = 0
    var separate: [DeliveryLane.Frame]?
    for member in members {
      if member.hold == nil, member.subscriber.isFlowing {
        member.subscriber.connection.send(frames: frames)
        count += 1
      } else {
        let frames = separate ?? separated()
        separate = frames
        for frame in frames { member.take(frame) }
      }
    }
    frameEnds.removeAll(keepingCapacity: true)
    if frames.capacity > Self.keptBytesMax { frames = ByteBuffer() } else { frames.clear() }
    return (count, sent.frames, sent.bytes)
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
          bytes: ByteBuffer(bytes: bytes), appliance: appliance, type: EventGlance.type(of: message), id: EventGlance.id(of: message))
      }
    }
  }
}

/// One subscriber's place in one topic.
final class Membership {
  let topic: Topic
  let subscriber: Subscriber
  var slot = -1
  /// Set until the subscriber has been told the current state: what comes live meanwhile waits here.
  var hold: DeliveryLane?

  init(_ topic: Topic, _ subscriber: Subscriber, hold: DeliveryLane) {
    self.topic = topic
    self.subscriber = subscriber
    self.hold = hold
  }

  func take(_ frame: DeliveryLane.Frame) {
    guard hold != nil else { return subscriber.queue(frame) }
    if hold?.append(frame) == false { subscriber.closeAsSlow() }
  }
}
