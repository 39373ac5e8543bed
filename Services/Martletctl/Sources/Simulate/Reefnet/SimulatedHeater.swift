import MQTTClient
import Models

/// A heater module on the broker.
struct SimulatedHeater: SimulatedDevice {
  /// How long a fault lasts, in seconds of the heater's world: longer than the slowest guard takes to notice it.
  private static let faultSeconds = 1200
  private static let firstFaultSecond = 30

  let appliance: ApplianceID
  private let frames: HeaterFrames
  private var firmware = HeaterFirmware()
  private var tank = HeaterTank()
  private var random: SeededGenerator
  /// What is wrong, and until which second of its uptime.
  private var fault: (kind: HeaterFault, until_s: Int)?
  private var plan: HeaterFault?
  /// How likely a fault is to begin in a second.
  private let faultRate: Double
  /// Time of its world that makes no whole second yet.
  private var rest = 0.0

  /// - Parameters:
  ///   - plan: the one fault that comes, soon; without it any comes, now and then.
  init(_ appliance: ApplianceID, seed: UInt64, plan: HeaterFault? = nil, faultsPerHour: Double = 0.5) {
    self.appliance = appliance
    frames = HeaterFrames(module: appliance)
    random = SeededGenerator(seed: seed)
    self.plan = plan
    faultRate = plan == nil ? faultsPerHour / 3600 : 0
  }

  var subscriptions: [MQTTSubscription] {
    [MQTTSubscription(ReefnetTopic.topic(ofCommand: ReefnetCommand.ping.type, module: appliance) ?? "")]
  }

  var will: MQTTWill { PresenceWill.will(of: appliance) }
  var isDone: Bool { false }

  mutating func powerOn(at now: Timestamp) -> [MQTTPublication] {
    _ = second(now)
    return [status(now)]
  }

  mutating func powerOff(at now: Timestamp) -> [MQTTPublication] { [PresenceWill.offline(of: appliance)] }
  mutating func greet(at now: Timestamp) -> [MQTTPublication] { [status(now)] }

  mutating func advance(_ step: SimulatedStep) -> [MQTTPublication] {
    rest += step.simulatedSeconds
    var alarms: [MQTTPublication] = []
    while rest >= 1 {
      rest -= 1
      // Each is told as things stood then.
      for toggle in second(step.now) {
        alarms.append(said(.alarm, frames.alarm(toggle, of: firmware, at: step.now)))
        alarms.append(status(step.now))
      }
    }
    return alarms + [status(step.now)]
  }

  /// Whatever is understood is answered by a status; all else is passed over.
  mutating func hear(_ message: MQTTMessage, at now: Timestamp) -> [MQTTPublication] {
    guard let control = try? ReefnetControl(parsing: message.payload), !Self.isLate(message.payload, at: now) else { return [] }
    firmware.change(control.changes)
    return [status(now)]
  }

  private static func isLate(_ payload: [UInt8], at now: Timestamp) -> Bool {
    let expiresAt = (try? JSONObject(parsing: payload))?.string("expires_at").flatMap(Timestamp.init(iso8601:))
    return expiresAt.map { now >= $0 } ?? false
  }

  private mutating func second(_ now: Timestamp) -> [HeaterFirmware.Toggle] {
    if let end = fault?.until_s, firmware.uptime_s >= end { fault = nil }
    if fault == nil, let kind = nextFault() { fault = (kind, firmware.uptime_s + Self.faultSeconds) }
    tank.advance(isHeating: firmware.isHeating, fault: fault?.kind)
    let probes = tank.probes(fault: fault?.kind, random: &random)
    return firmware.advance(probes, thermostatFails: fault?.kind == .runaway, now: now)
  }

  private mutating func nextFault() -> HeaterFault? {
    if let plan {
      guard firmware.uptime_s >= Self.firstFaultSecond else { return nil }
      self.plan = nil
      return plan
    }
    return random.chance(faultRate) ? HeaterFault.allCases.randomElement(using: &random) : nil
  }

  private func status(_ now: Timestamp) -> MQTTPublication { said(.status, frames.status(of: firmware, at: now)) }

  private func said(_ kind: ReefnetFrame.Kind, _ frame: [UInt8]) -> MQTTPublication {
    MQTTPublication(topic: ReefnetTopic.topic(of: kind, module: appliance), payload: frame)
  }
}
