import MQTTClient
import Models

/// A cooker on the broker: the events of `EpicuraCooker` under the Epicura document's topics.
struct SimulatedCooker: SimulatedDevice {
  let appliance: ApplianceID
  private var cooker: EpicuraCooker
  private let manner: CommandManner
  private let sessionsMax: Int
  private var memory = OrderMemory()

  /// - Parameter sessionsMax: it is done after so many.
  init(_ appliance: ApplianceID, _ cooker: EpicuraCooker, manner: CommandManner, sessionsMax: Int = .max) {
    self.appliance = appliance
    self.cooker = cooker
    self.manner = manner
    self.sessionsMax = sessionsMax
  }

  var subscriptions: [MQTTSubscription] { get throws { try CookerOrder.subscriptions(of: appliance) } }

  var will: MQTTWill {
    MQTTWill(topic: Self.statusTopic(of: appliance), payload: CookerEvent.status(.offline).data, isRetained: true)
  }

  var isDone: Bool { cooker.sessionsEnded >= sessionsMax }

  mutating func powerOn(at now: Timestamp) throws -> [MQTTPublication] { try said(cooker.powerOn(), at: now) }
  mutating func powerOff(at now: Timestamp) throws -> [MQTTPublication] { try said(cooker.powerOff(), at: now) }
  mutating func greet(at now: Timestamp) throws -> [MQTTPublication] { try said([.status(cooker.status)], at: now) }

  mutating func advance(_ step: SimulatedStep) throws -> [MQTTPublication] {
    try said(cooker.advance(seconds: step.simulatedSeconds), at: step.now)
  }

  mutating func hear(_ message: MQTTMessage, at now: Timestamp) throws -> [MQTTPublication] {
    guard let order = CookerOrder(message.payload) else { return [] }
    switch manner {
    case .silent: return []
    case .reject: return [answer(order, refusal: "This cooker takes no commands.")]
    case .obey: break
    }
    switch memory.judge(order, now: now) {
    case .ignore: return []
    case .refuse(let reason): return [answer(order, refusal: reason)]
    case .obey: break
    }
    let events: [CookerEvent]
    do throws(EpicuraCooker.Refusal) { events = try cooker.obey(order.kind) } catch { return [answer(order, refusal: error.message)] }
    return [answer(order, refusal: nil)] + (try said(events, at: now))
  }

  private func answer(_ order: CookerOrder, refusal: String?) -> MQTTPublication {
    MQTTPublication(topic: "epicura/\(appliance)/command/ack", payload: DeviceOrder.answer(to: order.id, refusal: refusal))
  }

  private func said(_ events: [CookerEvent], at now: Timestamp) throws -> [MQTTPublication] {
    try events.map { try Self.publication($0, of: appliance, at: now) }
  }

  /// A status is published as its bare `data` and retained, like the last will, so that both are dated by their receipt: a will is
  /// older than the statuses that it must replace. Everything else carries the device's own time in the whole envelope.
  static func publication(_ event: CookerEvent, of appliance: ApplianceID, at time: Timestamp) throws -> MQTTPublication {
    if case .status = event {
      return MQTTPublication(topic: statusTopic(of: appliance), payload: event.data, isRetained: true)
    }
    let type = try EventType(event.type)
    let envelope = Event(type: type, applianceID: appliance, timestamp: time, data: event.data)
    return MQTTPublication(topic: EpicuraTopic.topic(of: type, appliance: appliance) ?? "", payload: envelope.encoded())
  }

  static func statusTopic(of appliance: ApplianceID) -> String { "epicura/\(appliance)/status" }
}
