import Models

/// The safety alarms of the reefnet document, the most urgent first.
enum HeaterAlarm: String, Sendable, CaseIterable {
  case probesLost = "safety.probe_dual_failure"
  case runaway = "safety.thermal_runaway"
  case relayStuck = "safety.relay_stuck"
  case overrun = "safety.heater_overrun"
  case probeMismatch = "safety.probe_mismatch"
  case probeLost = "safety.probe_single_failure"

  var title: String {
    switch self {
    case .probesLost: "All probes offline"
    case .runaway: "Thermal runaway"
    case .relayStuck: "Relay stuck"
    case .overrun: "Heater overrun"
    case .probeMismatch: "Probe mismatch"
    case .probeLost: "Probe offline"
    }
  }

  /// Whether the heater stays off while it is active. With one probe it can still be trusted.
  var locksOut: Bool { self != .probeLost }
}

/// A heater's safety guards: what was measured each second goes in, the alarms that are active come out. Pure.
struct HeaterSafety: Sendable {
  static let probeTimeout_s = 45
  static let runawayDelta_c = 2.0
  static let heaterOnMax_min = 15
  static let stuckRelayDelta_c = 0.5
  static let stuckRelayWindow_s = 60
  /// How long a heater that was on for too long must rest.
  private static let rest_s = 300

  private(set) var active: Set<HeaterAlarm> = []
  private var (lostSeconds, singleSeconds, mismatchSeconds, onSeconds, offSeconds) = (0, 0, 0, 0, 0)
  /// The average of each of the last seconds in which the relay was open, the latest last.
  private var idle: [Double] = []

  /// Lets a second pass.
  mutating func watch(_ probes: HeaterProbes, isHeating: Bool, settings: HeaterSettings) {
    let present = [probes.primary, probes.secondary].count { $0 != nil }
    lostSeconds = present == 0 ? lostSeconds + 1 : 0
    singleSeconds = present == 1 ? singleSeconds + 1 : 0
    mismatchSeconds = probes.delta ?? 0 > settings.probeTolerance_c ? mismatchSeconds + 1 : 0
    (onSeconds, offSeconds) = isHeating ? (onSeconds + 1, 0) : (0, offSeconds + 1)
    set(.probesLost, lostSeconds >= Self.probeTimeout_s)
    set(.probeLost, singleSeconds >= Self.probeTimeout_s)
    set(.probeMismatch, mismatchSeconds >= Self.probeTimeout_s)
    set(.overrun, active.contains(.overrun) ? offSeconds < Self.rest_s : onSeconds > Self.heaterOnMax_min * 60)
    guard let average = probes.average else { return idle.removeAll() }
    // Water that is warmer than a setpoint that was just lowered has not run away.
    set(.runaway, active.contains(.runaway) ? average > settings.max_c : isHeating && average > settings.max_c + Self.runawayDelta_c)
    watchRelay(average, isHeating: isHeating)
  }

  private mutating func watchRelay(_ average: Double, isHeating: Bool) {
    guard !isHeating else { return idle.removeAll() }
    idle.append(average)
    if idle.count > Self.stuckRelayWindow_s { idle.removeFirst() }
    let rise = average - (idle.first ?? average)
    set(.relayStuck, rise > (active.contains(.relayStuck) ? 0.1 : Self.stuckRelayDelta_c))
  }

  private mutating func set(_ alarm: HeaterAlarm, _ isActive: Bool) {
    if isActive { active.insert(alarm) } else { active.remove(alarm) }
  }
}
