internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// The dashboards of one event loop that may see one controller. Each `datapoints_batch` is encoded once for all of them. Confined to its event loop.
///
/// For a dashboard that does not keep up nothing is queued: it is remembered what it has got, and once it reads again it gets the last reading of
/// each sensor that went out since. So a slow one costs no memory and misses no last value.
final class DatapointAudience: Audience {
  let dialect = Dialect.webmacs
  private let topic: Topic
  private let hub: LoopHub
  private var members: [DatapointMember] = []
  private var throttle = DatapointThrottle()
  private var timer: Scheduled<Void>?

  /// Sensors that are remembered; more than a controller can have, because some may be replaced by others.
  private static let sensorsMax = 4096

  init(_ topic: Topic, hub: LoopHub) {
    self.topic = topic
    self.hub = hub
  }

  /// Whether live events come.
  var isLive: Bool { topic.isLive }

  // MARK: Members

  func add(_ member: DatapointMember) {
    member.slot = members.count
    members.append(member)
    hub.counters.subscriptions += 1
  }

  func remove(_ member: DatapointMember) {
    members.swapAt(member.slot, members.count - 1)
    members[member.slot].slot = member.slot
    members.removeLast()
    hub.counters.subscriptions -= 1
    guard members.isEmpty else { return }
    timer?.cancel()
    hub.left(topic, self)
  }

  func becameLive(position: EventID) {
    for member in members { member.session?.controllerBecameLive(topic.appliance) }
  }

  // MARK: Delivery

  func append(_ message: UnsafeRawBufferPointer, id: EventID?) {
    guard EventGlance.type(of: message) == .datapoints, let event = try? Event(parsing: Array(message)) else { return }
    let (experimentID, datapoints) = WebMACSDatapoints.read(event.data)
    let superseded = throttle.supersededCount
    for datapoint in datapoints {
      throttle.take(
        WebMACSDatapoint(eventID: datapoint.eventID, value: datapoint.value, timestamp: event.timestamp, experimentID: experimentID))
    }
    hub.counters.datapointsThrottled += throttle.supersededCount - superseded
  }

  func flush() {
    let now = ContinuousClock.now
    let (datapoints, next) = throttle.emit(now: now)
    if !datapoints.isEmpty { send(datapoints) }
    timer?.cancel()
    timer = next.map { due in
      hub.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(due - now)) { [weak self] in
        self?.timer = nil
        self?.flush()
      }
    }
    guard throttle.sensorCount > Self.sensorsMax else { return }
    for member in members where member.emission != nil { member.closeAsSlow(hub) }
    throttle.forgetIdle(now: now)
  }

  private func send(_ datapoints: [WebMACSDatapoint]) {
    let frame = Self.frame(datapoints)
    for member in members {
      if member.emission == nil, member.connection.isWritable {
        member.connection.send(frames: frame)
        hub.counters.deliveries += 1
        hub.counters.deliveredBytes += frame.readableBytes
      } else if member.emission == nil {
        member.emission = throttle.emission - 1
        hub.counters.queued += 1
      } else {
        hub.counters.conflated += 1
      }
    }
  }

  /// Tells a member that reads again what it missed.
  func catchUp(_ member: DatapointMember) {
    guard let emission = member.emission, member.connection.isWritable else { return }
    member.emission = nil
    member.connection.send(frames: Self.frame(throttle.sent(after: emission)))
  }

  private static func frame(_ datapoints: [WebMACSDatapoint]) -> ByteBuffer {
    let text = WebMACSServerMessage.datapointsBatch(
      datapoints.lazy.map { datapoint in
        var text: [UInt8] = []
        datapoint.append(to: &text)
        return text
      })
    var frame = ByteBuffer()
    text.withUnsafeBytes { FrameEncoder.append(text: $0, to: &frame) }
    return frame
  }
}

/// One dashboard's place in the audience of one controller.
final class DatapointMember {
  let audience: DatapointAudience
  let connection: WebSocketConnection
  weak var session: StreamSession?
  var slot = -1
  /// The last emission that it got, where it does not keep up.
  var emission: UInt64?

  init(_ audience: DatapointAudience, _ connection: WebSocketConnection, _ session: StreamSession) {
    self.audience = audience
    self.connection = connection
    self.session = session
  }

  func closeAsSlow(_ hub: LoopHub) {
    guard connection.isOpen else { return }
    hub.counters.slowCloses += 1
    connection.close(.tryAgainLater, reason: "The client does not keep up")
  }
}
