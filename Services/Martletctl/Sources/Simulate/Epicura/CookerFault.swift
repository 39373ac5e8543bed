import Models

/// Something that goes wrong while cooking: a code of the Epicura document's table "Error Events".
struct CookerFault: Sendable, Equatable {
  let code: EpicuraErrorCode
  let message: String
  /// What the cooker does about it.
  let action: String

  /// Whether the session ends with it.
  var isCritical: Bool { code.severity == .critical }

  init(_ code: EpicuraErrorCode) {
    self.code = code
    (message, action) =
      switch code {
      case .sensorFailure: ("Weight sensor does not answer. Going on without it.", "sensor_ignored")
      case .overTemperature: ("Temperature exceeded safe threshold (260°C). Heating disabled.", "e_stop")
      case .motorStall: ("Stirring arm stalled. Reversed and restarted.", "motor_restart")
      case .communicationLost: ("The controller board does not answer. Heating disabled.", "e_stop")
      case .cvFailure: ("Camera image unusable. Stages end by timer.", "timer_fallback")
      case .powerAnomaly: ("Supply voltage out of range. Heating disabled.", "e_stop")
      case .potRemoved: ("Pot removed. Heating paused until it is back.", "heating_paused")
      }
  }
}

/// Something that a cooker wants its user to know.
enum CookerAlert: String, Sendable, CaseIterable {
  case firmwareUpdate = "firmware_update_available"
  case cleaningDue = "cleaning_due"
  case waterLow = "water_low"

  var message: String {
    switch self {
    case .firmwareUpdate: "New firmware v1.2.1 available for CM5"
    case .cleaningDue: "Clean the stirring arm before the next session"
    case .waterLow: "Refill the water container"
    }
  }

  var priority: String {
    switch self {
    case .firmwareUpdate: "low"
    case .cleaningDue: "medium"
    case .waterLow: "high"
    }
  }
}
