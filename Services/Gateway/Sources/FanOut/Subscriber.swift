internal import Models
internal import NIOCore
internal import WebSocketTransport

/// One client of the fan-out: its topics, and what waits for it while it does not keep up. Confined to its event loop.
final class Subscriber {
  let connection: WebSocketConnection
  /// Who hears that a topic became live. It owns this subscriber.
  weak var session: (any HubSession)?
  private let hub: LoopHub
  private var memberships: [ApplianceID: Membership] = [:]
  private var lane: DeliveryLane

  /// How much is given to the socket at a time when a client catches up.
  private static let catchUpBytes = 64 * 1024

  init(_ connection: WebSocketConnection, hub: LoopHub) {
    self.connection = connection
    self.hub = hub
    lane = DeliveryLane(bytesMax: hub.queueBytesMax)
  }

  /// Whether the client has taken everything so far, so that the next frame may go straight to it.
  var isFlowing: Bool { connection.isWritable && lane.isEmpty }

  /// Sends an answer, behind whatever waits.
  func reply(_ text: [UInt8]) {
    guard !isFlowing else { return connection.send(text: text) }
    var frame = ByteBufferAllocator().buffer(capacity: text.count + FrameEncoder.headerBytesMax)
    text.withUnsafeBytes { FrameEncoder.append(text: $0, to: &frame) }
    queue(DeliveryLane.Frame(reply: frame))
  }

  /// Puts a frame behind what waits. A lane that overflows closes its client: what may not be dropped is lost otherwise.
  func queue(_ frame: DeliveryLane.Frame) {
    guard connection.isOpen else { return }
    let conflated = lane.conflatedCount
    let isKept = lane.append(frame)
    hub.counters.conflated += lane.conflatedCount - conflated
    if isKept { hub.counters.queued += 1 } else { closeAsSlow() }
  }

  func closeAsSlow() {
    guard connection.isOpen else { return }
    hub.counters.slowCloses += 1
    connection.close(.tryAgainLater, reason: "The client does not keep up")
  }

  /// The socket has taken everything: gives it what waits.
  func becameWritable() {
    while connection.isWritable, connection.isOpen, !lane.isEmpty {
      connection.send(frames: lane.take(bytes: Self.catchUpBytes))
    }
  }

  // MARK: Topics

  /// Begins to listen to an appliance, or holds what comes from it anew. What comes waits until `release`. True when the topic is live.
  func join(_ appliance: ApplianceID) -> Bool {
    let hold = DeliveryLane(bytesMax: hub.queueBytesMax)
    if let known = memberships[appliance] {
      if known.hold == nil { known.hold = hold }
      return known.topic.isLive
    }
    let member = Membership(hub.topic(of: appliance), self, hold: hold)
    memberships[appliance] = member
    member.topic.add(member)
    hub.counters.subscriptions += 1
    return member.topic.isLive
  }

  /// Ends the hold: sends what came meanwhile, but for events of `type` that are not newer than `id`, which the client has already.
  func release(_ appliance: ApplianceID, passingOver type: EventType?, through id: EventID?) {
    guard let member = memberships[appliance], var hold = member.hold else { return }
    member.hold = nil
    hub.counters.conflated += hold.conflatedCount
    for frame in hold.takeAll() {
      if let type, frame.type == type, let id, let frameID = frame.id, frameID <= id { continue }
      if isFlowing {
        connection.send(frames: frame.bytes)
        hub.counters.deliveries += 1
        hub.counters.deliveredBytes += frame.bytes.readableBytes
      } else {
        queue(frame)
      }
    }
  }

  func leave(_ appliance: ApplianceID) {
    guard let member = memberships.removeValue(forKey: appliance) else { return }
    member.topic.remove(member)
    hub.counters.subscriptions -= 1
    hub.left(member.topic)
  }

  func leaveAll() {
    for appliance in Array(memberships.keys) { leave(appliance) }
    _ = lane.takeAll()
  }
}
