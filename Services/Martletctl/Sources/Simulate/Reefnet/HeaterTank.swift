import ArgumentParser

/// What goes wrong with a heater.
enum HeaterFault: String, Sendable, CaseIterable, ExpressibleByArgument {
  /// One probe drifts away from the other.
  case probeDrift = "probe-drift"
  case probeLost = "probe-lost"
  case probesLost = "probes-lost"
  /// The thermostat does not switch off.
  case runaway
  /// The heater is too weak to reach its setpoint.
  case weakHeater = "weak-heater"
  /// The relay stays closed whatever it is told.
  case stuckRelay = "stuck-relay"
}

/// What the two probes of a heater measure, in °C; nil for one that is offline.
struct HeaterProbes: Sendable, Equatable {
  var primary: Double?
  var secondary: Double?

  /// Of those that are there.
  var average: Double? {
    let known = [primary, secondary].compactMap { $0 }
    return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }

  var delta: Double? {
    guard let primary, let secondary else { return nil }
    return abs(primary - secondary)
  }
}

/// Water in a room, and a heater in it. Pure.
struct HeaterTank: Sendable {
  private static let room_c = 22.0
  /// What the heater gives, in °C a second.
  private static let power = 0.015
  /// What the room takes of each degree above it, in a second.
  private static let loss = 0.0008

  private(set) var temperature_c = 24.6
  /// How far the second probe has drifted, in °C.
  private var drift_c = 0.0

  /// Lets a second pass.
  mutating func advance(isHeating: Bool, fault: HeaterFault?) {
    let isHot = isHeating || fault == .stuckRelay
    let power = fault == .weakHeater ? Self.power / 10 : Self.power
    temperature_c += (isHot ? power : 0) - Self.loss * (temperature_c - Self.room_c)
    drift_c = fault == .probeDrift ? min(drift_c + 0.05, 1.2) : max(drift_c - 0.05, 0)
  }

  func probes(fault: HeaterFault?, random: inout SeededGenerator) -> HeaterProbes {
    let noise = (Double.random(in: -0.02...0.02, using: &random), Double.random(in: -0.02...0.02, using: &random))
    return HeaterProbes(
      primary: fault == .probesLost ? nil : temperature_c + noise.0,
      secondary: fault == .probesLost || fault == .probeLost ? nil : temperature_c - drift_c + noise.1)
  }
}
