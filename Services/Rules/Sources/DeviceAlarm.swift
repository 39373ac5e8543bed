import Models
import RuleEvaluation
import Store

/// An alarm that a device itself raises or clears (the reefnet document, "`alarm` Frames").
struct DeviceAlarm: Hashable, Sendable {
  let alarm: AlarmRows.Name
  let isActive: Bool
  /// What the device calls it, for people.
  let name: String
  let severity: Severity

  static let nameLengthMax = 255

  /// Nil for an event that is no device's alarm.
  init?(_ event: Event) {
    guard let reported = ReefnetAlarm(event) else { return nil }
    alarm = AlarmRows.Name(event.applianceID, code: Self.part(event).map { "\(reported.code)@\($0)" } ?? reported.code)
    isActive = reported.isActive
    name = reported.message.isEmpty ? reported.code : String(reported.message.prefix(Self.nameLengthMax))
    severity =
      switch reported.severity {
      case .critical: .critical
      case .warning: .warning
      case .info: .info
      }
  }

  /// Which of several heaters of one module: all of them have the same codes. Nil for the module itself.
  private static func part(_ event: Event) -> String? {
    guard let part = (try? JSONObject(parsing: event.data))?.string("submodule_id"), !part.isEmpty, part != event.applianceID.rawValue
    else { return nil }
    return String(part.prefix(ApplianceID.lengthMax))
  }
}
