internal import Models
internal import NIOCore

/// What waits for one client that does not keep up. Pure.
///
/// Telemetry is conflated to the newest per appliance and type, which takes its place at the end, so that order holds. Everything else is
/// kept in order up to `bytesMax`. Telemetry is the first to go when there is no room; when even that does not help, the lane overflows
/// and the client must be closed.
struct DeliveryLane {
  /// One frame on its way to a client.
  struct Frame {
    struct TelemetryKey: Hashable {
      let appliance: ApplianceID
      let type: EventType
    }

    /// The whole WebSocket frame. Shared by all lanes that hold it.
    let bytes: ByteBuffer
    let type: EventType?
    let id: EventID?
    /// Set for telemetry only.
    let telemetryKey: TelemetryKey?
    /// The command whose life the event is of.
    let commandID: String?

    /// An event of the bus.
    init(bytes: ByteBuffer, appliance: ApplianceID, type: EventType?, id: EventID?, commandID: String? = nil) {
      self.bytes = bytes
      self.type = type
      self.id = id
      self.commandID = commandID
      telemetryKey = type.flatMap { $0.isTelemetry ? TelemetryKey(appliance: appliance, type: $0) : nil }
    }

    /// An answer to the client itself.
    init(reply bytes: ByteBuffer) {
      self.bytes = bytes
      (type, id, telemetryKey, commandID) = (nil, nil, nil, nil)
    }
  }

  private let bytesMax: Int
  /// In order; nil where telemetry was superseded or given up.
  private var frames: [Frame?] = []
  private var newest: [Frame.TelemetryKey: Int] = [:]
  private(set) var byteCount = 0
  /// Telemetry that was superseded or given up so far.
  private(set) var conflatedCount = 0

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  var isEmpty: Bool { byteCount == 0 }

  /// Takes a frame; false when the lane overflows.
  mutating func append(_ frame: Frame) -> Bool {
    if let key = frame.telemetryKey, let place = newest[key] { giveUp(place, key) }
    if byteCount + frame.bytes.readableBytes > bytesMax { giveUpTelemetry() }
    guard byteCount + frame.bytes.readableBytes <= bytesMax else {
      guard frame.telemetryKey != nil else { return false }
      conflatedCount += 1
      return true
    }
    if let key = frame.telemetryKey { newest[key] = frames.count }
    frames.append(frame)
    byteCount += frame.bytes.readableBytes
    if frames.count > 64, frames.count > 2 * frames.lazy.count(where: { $0 != nil }) { compact() }
    return true
  }

  /// Everything in order; the lane is empty afterwards.
  mutating func takeAll() -> [Frame] {
    defer {
      frames = []
      newest = [:]
      byteCount = 0
    }
    return frames.compactMap { $0 }
  }

  /// The first frames, of `bytes` together or a little more.
  mutating func take(bytes: Int) -> ByteBuffer {
    var output = ByteBufferAllocator().buffer(capacity: min(bytes, byteCount))
    var count = 0
    while count < frames.count, output.readableBytes < bytes {
      if let frame = frames[count] { output.writeImmutableBuffer(frame.bytes) }
      count += 1
    }
    byteCount -= output.readableBytes
    frames.removeFirst(count)
    reindex()
    return output
  }

  private mutating func giveUp(_ place: Int, _ key: Frame.TelemetryKey) {
    byteCount -= frames[place]?.bytes.readableBytes ?? 0
    frames[place] = nil
    newest[key] = nil
    conflatedCount += 1
  }

  private mutating func giveUpTelemetry() {
    for (key, place) in newest { giveUp(place, key) }
  }

  private mutating func compact() {
    frames.removeAll { $0 == nil }
    reindex()
  }

  private mutating func reindex() {
    newest.removeAll(keepingCapacity: true)
    for (place, frame) in frames.enumerated() {
      if let key = frame?.telemetryKey { newest[key] = place }
    }
  }
}
