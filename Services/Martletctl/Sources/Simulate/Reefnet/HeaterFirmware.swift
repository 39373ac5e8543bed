import Models

/// What `set_param` sets.
struct HeaterSettings: Sendable, Equatable {
  private(set) var setpoint_c = 25.0
  private(set) var min_c = 24.9
  private(set) var max_c = 25.1
  private(set) var probeTolerance_c = 0.7

  var span_c: Double { max_c - min_c }

  /// Takes all changes or, should they not go together, none. A setpoint alone takes its hysteresis with it.
  mutating func change(_ changes: [ReefnetParameter: Double]) {
    var staged = self
    if let setpoint = changes[.setpoint] {
      staged.setpoint_c = setpoint
      (staged.min_c, staged.max_c) = (setpoint - span_c / 2, setpoint + span_c / 2)
    }
    staged.min_c = changes[.setpointMin] ?? staged.min_c
    staged.max_c = changes[.setpointMax] ?? staged.max_c
    if changes[.setpoint] == nil, changes[.setpointMin] != nil || changes[.setpointMax] != nil {
      staged.setpoint_c = (staged.min_c + staged.max_c) / 2
    }
    staged.probeTolerance_c = changes[.probeTolerance] ?? staged.probeTolerance_c
    guard staged.min_c < staged.max_c, (staged.min_c...staged.max_c).contains(staged.setpoint_c), staged.probeTolerance_c > 0 else {
      return
    }
    self = staged
  }
}

/// The controller of a heater, as the reefnet document describes what it tells. Pure: what the probes measure each second goes in.
struct HeaterFirmware: Sendable {
  /// An alarm that was raised or cleared.
  struct Toggle: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
      case safety(HeaterAlarm)
      case thermistorMismatch
    }

    let kind: Kind
    let isActive: Bool
    let triggeredAt: Timestamp
  }

  private(set) var settings = HeaterSettings()
  private(set) var isHeating = false
  private(set) var activations = 0
  private(set) var uptime_s = 0
  /// Of the last ten minutes, as an average that fades.
  private(set) var duty = 0.0
  private(set) var probes = HeaterProbes()
  /// When each active safety alarm was raised.
  private(set) var raised: [HeaterAlarm: Timestamp] = [:]
  private(set) var mismatchSince: Timestamp?
  private var safety = HeaterSafety()

  var isLockedOut: Bool { raised.keys.contains(where: \.locksOut) }
  /// The most urgent.
  var visibleAlarm: HeaterAlarm? { HeaterAlarm.allCases.first { raised[$0] != nil } }

  mutating func change(_ changes: [ReefnetParameter: Double]) {
    settings.change(changes)
    regulate(thermostatFails: false)
  }

  /// Lets a second pass.
  /// - Parameter thermostatFails: it does not switch off at its upper limit.
  mutating func advance(_ measured: HeaterProbes, thermostatFails: Bool, now: Timestamp) -> [Toggle] {
    uptime_s += 1
    probes = measured
    safety.watch(measured, isHeating: isHeating, settings: settings)
    let toggles = safetyToggles(now) + mismatchToggles(now)
    regulate(thermostatFails: thermostatFails)
    duty += ((isHeating ? 1 : 0) - duty) / 600
    return toggles
  }

  private mutating func regulate(thermostatFails: Bool) {
    let wasHeating = isHeating
    if isLockedOut {
      isHeating = false
    } else if let average = probes.average {
      if average < settings.min_c { isHeating = true }
      if average > settings.max_c, !thermostatFails { isHeating = false }
    } else {
      isHeating = false
    }
    if isHeating, !wasHeating { activations += 1 }
  }

  private mutating func safetyToggles(_ now: Timestamp) -> [Toggle] {
    var toggles: [Toggle] = []
    for alarm in HeaterAlarm.allCases {
      let isActive = safety.active.contains(alarm)
      guard isActive != (raised[alarm] != nil) else { continue }
      toggles.append(Toggle(kind: .safety(alarm), isActive: isActive, triggeredAt: raised[alarm] ?? now))
      raised[alarm] = isActive ? now : nil
    }
    return toggles
  }

  private mutating func mismatchToggles(_ now: Timestamp) -> [Toggle] {
    let isActive = probes.delta ?? 0 > settings.probeTolerance_c
    guard isActive != (mismatchSince != nil) else { return [] }
    let toggle = Toggle(kind: .thermistorMismatch, isActive: isActive, triggeredAt: mismatchSince ?? now)
    mismatchSince = isActive ? now : nil
    return [toggle]
  }
}
