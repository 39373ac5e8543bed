internal import Models

/// An appliance is followed.
public struct Subscribed: Hashable, Sendable {
  /// As its last `appliance:status` told; `offline` if it never told.
  public let currentStatus: String?
  /// After a return, whether everything that was missed follows. When it does not, the log does not reach back so far, and the API has the
  /// history. Nil where nothing could be missed.
  public let isRecovered: Bool?

  init(_ data: JSONObject) {
    currentStatus = data.string("current_status")
    isRecovered = data.boolean("recovered")
  }
}

/// An appliance is not followed any more.
public struct Lost: Hashable, Sendable {
  /// `APPLIANCE_NOT_FOUND`, which is also said of another's appliance, or `TOO_MANY_SUBSCRIPTIONS`.
  public let code: String
  public let message: String
}

/// How an appliance is.
public struct ApplianceStatus: Hashable, Sendable {
  /// `online`, `offline`, `cooking`, `error`.
  public let status: String?
  public let cm5Firmware: String?
  public let stm32Firmware: String?

  init(_ data: JSONObject) {
    status = data.string("status")
    cm5Firmware = data.string("firmware_version_cm5")
    stm32Firmware = data.string("firmware_version_stm32")
  }
}

/// Something that its user should know.
public struct ApplianceAlert: Hashable, Sendable {
  /// Such as `firmware_update_available`.
  public let alertType: String?
  public let message: String?
  public let priority: String?

  init(_ data: JSONObject) {
    alertType = data.string("alert_type")
    message = data.string("message")
    priority = data.string("priority")
  }
}

/// What becomes of a command, anybody's.
public struct CommandReport: Hashable, Sendable {
  /// How far it has come; nil when it came to nothing.
  public let step: CommandStep?
  public let commandID: String?
  /// Such as `cooking:stop`.
  public let type: String?
  /// Who gave it, where that is told.
  public let userID: String?
  /// Why it failed.
  public let code: String?
  public let message: String?

  init(_ step: CommandStep?, _ data: JSONObject) {
    self.step = step
    commandID = data.string("command_id")
    type = data.string("type")
    userID = data.string("user_id")
    code = data.string("code")
    message = data.string("message")
  }
}

/// One reading of a lab controller's sensor (the WebMACS document).
public struct LabDatapoint: Hashable, Sendable {
  public let value: Double?
  /// The sensor's.
  public let eventPublicID: String?
  /// UTC without a zone, as in the document.
  public let timestamp: String?
  public let experimentPublicID: String?

  init(_ data: JSONObject) {
    value = data.number("value")
    eventPublicID = data.string("event_public_id")
    timestamp = data.string("timestamp")
    experimentPublicID = data.string("experiment_public_id")
  }
}
