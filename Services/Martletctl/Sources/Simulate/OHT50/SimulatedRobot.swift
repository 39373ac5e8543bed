import MQTTClient
import Models

/// A robot on the broker: what `Robot` tells, under the OHT-50 dialect's topics, as the document's frames.
struct SimulatedRobot: SimulatedDevice {
  let appliance: ApplianceID
  private var robot: Robot
  private let manner: CommandManner
  private let rate_hz: Double
  private let missionsMax: Int
  private var memory = OrderMemory()
  /// When it last said how its system is, which it does once a second.
  private var statusAt: Timestamp?

  /// - Parameters:
  ///   - rate_hz: of its telemetry: its steps a second.
  ///   - missionsMax: it is done after so many.
  init(_ appliance: ApplianceID, _ robot: Robot, rate_hz: Double, manner: CommandManner, missionsMax: Int = .max) {
    self.appliance = appliance
    self.robot = robot
    self.rate_hz = rate_hz
    self.manner = manner
    self.missionsMax = missionsMax
  }

  var subscriptions: [MQTTSubscription] {
    [MQTTSubscription(OHT50Topic.topic(ofCommand: .emergencyStop, robot: appliance) ?? "")]
  }

  var will: MQTTWill { PresenceWill.will(of: appliance) }
  var isDone: Bool { robot.missionsEnded >= missionsMax }

  mutating func powerOn(at now: Timestamp) -> [MQTTPublication] {
    said(robot.powerOn() + [.streaming(rate_hz: rate_hz, lastUpdate: now)], at: now)
  }

  mutating func powerOff(at now: Timestamp) -> [MQTTPublication] { [PresenceWill.offline(of: appliance)] }
  mutating func greet(at now: Timestamp) -> [MQTTPublication] { said([robot.status], at: now) }

  mutating func advance(_ step: SimulatedStep) -> [MQTTPublication] {
    var events = robot.advance(seconds: step.simulatedSeconds, now: step.now) + [robot.telemetry]
    if statusAt.map({ step.now - $0 >= .seconds(1) }) ?? true {
      statusAt = step.now
      events.append(robot.status)
    }
    return said(events, at: step.now)
  }

  mutating func hear(_ message: MQTTMessage, at now: Timestamp) -> [MQTTPublication] {
    guard let order = DeviceOrder(message.payload), order.type == EventType.emergencyStop.rawValue else { return [] }
    switch manner {
    case .silent: return []
    case .reject: return [answer(order, refusal: "This robot takes no commands.")]
    case .obey: break
    }
    switch memory.judge(order.id, issuedAt: order.issuedAt, expiresAt: order.expiresAt, isStop: true, now: now) {
    case .ignore: return []
    case .refuse(let reason): return [answer(order, refusal: reason)]
    // It stands before it says so.
    case .obey:
      let events = robot.stop(.remote)
      return [answer(order, refusal: nil)] + said(events, at: now)
    }
  }

  private func answer(_ order: DeviceOrder, refusal: String?) -> MQTTPublication {
    MQTTPublication(topic: "oht50/\(appliance)/command/ack", payload: DeviceOrder.answer(to: order.id, refusal: refusal))
  }

  /// The document's frame: `{"type","timestamp","data"}`.
  private func said(_ events: [RobotEvent], at now: Timestamp) -> [MQTTPublication] {
    events.map { event in
      var frame = JSONWriter()
      frame.add("type", event.type.rawValue)
      frame.add("timestamp", now.iso8601)
      frame.add("data", event.data)
      return MQTTPublication(topic: OHT50Topic.topic(of: event.type.eventType, robot: appliance), payload: frame.bytes)
    }
  }
}
