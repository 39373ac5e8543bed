/// How much a device's error matters.
package enum EpicuraSeverity: String, Hashable, Sendable {
  case warning, critical
}

/// The device errors that the Epicura document's table "Error Events" knows by name.
package enum EpicuraErrorCode: String, CaseIterable, Hashable, Sendable {
  case sensorFailure = "SENSOR_FAILURE"
  case overTemperature = "OVER_TEMPERATURE"
  case motorStall = "MOTOR_STALL"
  case communicationLost = "COMMUNICATION_LOST"
  case cvFailure = "CV_FAILURE"
  case powerAnomaly = "POWER_ANOMALY"
  case potRemoved = "POT_REMOVED"

  package var severity: EpicuraSeverity {
    switch self {
    case .overTemperature, .communicationLost, .powerAnomaly: .critical
    case .sensorFailure, .motorStall, .cvFailure, .potRemoved: .warning
    }
  }

  /// The severity of any code a device sends: an unknown one passes as a warning (SPEC, section 3).
  package static func severity(of code: String) -> EpicuraSeverity {
    Self(rawValue: code)?.severity ?? .warning
  }
}

extension Event {
  /// The event as apps get it: a `cooking:error` whose device named no `severity` has that of its `error_code`. Anything else stays as it is.
  package func withSeverity() -> Event {
    guard type.rawValue == "cooking:error", data.last == UInt8(ascii: "}"), let fields = try? JSONObject(parsing: data),
      !fields.contains("severity")
    else { return self }
    var event = self
    event.data.removeLast()
    event.data.append(fields.members.isEmpty ? "\"severity\":" : ",\"severity\":")
    event.data.append(json: EpicuraErrorCode.severity(of: fields.string("error_code") ?? "").rawValue)
    event.data.append(UInt8(ascii: "}"))
    return event
  }
}
