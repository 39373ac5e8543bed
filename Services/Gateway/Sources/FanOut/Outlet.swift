internal import Models
internal import NIOCore
internal import WebSocketTransport

/// What goes out to one client, and what waits for it while it does not keep up. Confined to its event loop.
class Outlet {
  let connection: WebSocketConnection
  let hub: LoopHub
  private var lane: DeliveryLane

  /// How much is given to the socket at a time when a client catches up.
  static let catchUpBytes = 64 * 1024

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
  private func queue(_ frame: DeliveryLane.Frame) {
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

  /// Sends a frame at once, or puts it behind what waits.
  func pass(_ frame: DeliveryLane.Frame) {
    guard isFlowing else { return queue(frame) }
    connection.send(frames: frame.bytes)
    hub.counters.deliveries += 1
    hub.counters.deliveredBytes += frame.bytes.readableBytes
  }

  /// The client has gone: what waits is forgotten.
  func forgetWaiting() { _ = lane.takeAll() }
}
