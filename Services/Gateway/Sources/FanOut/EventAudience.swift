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
  /// Who gets each of them.
  private var frameRoles: [RoleSet] = []
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
    frameRoles.append(hub.audience(of: EventGlance.type(of: message)))
    if let command = EventGlance.settledCommandID(of: message) { settled.append(command) }
  }

  /// Gives this tick's frames to every member, as far as their role gets them: as one buffer to those that keep up, one by one to the lanes of the others.
  func flush() {
    let parts = Parts(frames, frameEnds, frameRoles)
    var separate: [(frame: DeliveryLane.Frame, roles: RoleSet)]?
    for member in members {
      if member.isOpen, member.subscriber.isFlowing {
        let part = parts[member.role]
        guard part.count > 0 else { continue }
        member.subscriber.connection.send(frames: part.bytes)
        hub.counters.deliveries += part.count
        hub.counters.deliveredBytes += part.bytes.readableBytes
      } else {
        let frames = separate ?? separated()
        separate = frames
        // What becomes of the user's own commands is for them in any case.
        for (frame, roles) in frames where roles.contains(member.role) || member.isOwn(frame) { member.take(frame) }
      }
    }
    tellSettled()
    frameEnds.removeAll(keepingCapacity: true)
    frameRoles.removeAll(keepingCapacity: true)
    if frames.capacity > Self.keptBytesMax { frames = ByteBuffer() } else { frames.clear() }
  }

  private func tellSettled() {
    for command in settled {
      for member in members where member.hears(command) { member.subscriber.session?.commandSettled(command) }
    }
    settled.removeAll()
  }

  /// A burst must not leave its buffer behind at each appliance.
  private static let keptBytesMax = 4096

  private func separated() -> [(frame: DeliveryLane.Frame, roles: RoleSet)] {
    var start = 0
    return zip(frameEnds, frameRoles).compactMap { end, roles in
      defer { start = end }
      // A copy, so that a lane that keeps one frame does not keep the whole tick.
      guard let bytes = frames.getBytes(at: start, length: end - start) else { return nil }
      return bytes.withUnsafeBytes { frame in
        let header = frame.count < 2 ? 0 : frame[1] == 127 ? 10 : frame[1] == 126 ? 4 : 2
        let message = UnsafeRawBufferPointer(rebasing: frame.dropFirst(header))
        let frame = DeliveryLane.Frame(
          bytes: ByteBuffer(bytes: bytes), appliance: topic.appliance, type: EventGlance.type(of: message), id: EventGlance.id(of: message),
          commandID: EventGlance.commandID(of: message))
        return (frame, roles)
      }
    }
  }
}

/// The frames of a tick as each role gets them, joined once for each role; for all roles at once where all get everything, as nearly always.
private struct Parts {
  private var parts: [(bytes: ByteBuffer, count: Int)]

  init(_ frames: ByteBuffer, _ ends: [Int], _ roles: [RoleSet]) {
    guard !roles.allSatisfy({ $0 == .everyone }) else {
      parts = [(frames, ends.count)]
      return
    }
    parts = Permission.allCases.map { role in
      var (bytes, count, start) = (ByteBuffer(), 0, 0)
      for (end, audience) in zip(ends, roles) {
        if audience.contains(role), let frame = frames.getSlice(at: start, length: end - start) {
          bytes.writeImmutableBuffer(frame)
          count += 1
        }
        start = end
      }
      return (bytes, count)
    }
  }

  subscript(_ role: Permission) -> (bytes: ByteBuffer, count: Int) { parts.count == 1 ? parts[0] : parts[role.rawValue] }
}
