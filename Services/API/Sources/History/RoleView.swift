import Access
import Models
import Store

/// What a caller's role gets of an appliance's history; see `RoleTable`.
struct RoleView: Sendable {
  let roles: RoleTable
  let accounts: AccountStore

  func permits(_ call: Call, _ event: Event) -> Bool { permits(call, event.type) }

  func permits(_ call: Call, _ type: EventType) -> Bool { roles.permits(call.permission ?? .watch, event: type) }

  // MARK: Rows that events are told of

  private static let alarmTypes: [EventType] = [.alarmRaised, .alarmUpdated, .alarmAcknowledged, .alarmCleared]
  private static let commandTypes: [EventType] = [.commandRequested, .commandSent, .commandAcknowledged, .commandFailed]

  /// Whether a role gets alarms: a row shows what all of their events tell. Those that a device itself raises want its own event, too.
  func permitsAlarms(_ role: Permission, ofDevices: Bool) -> Bool {
    (Self.alarmTypes + (ofDevices ? [.reefnetAlarm] : [])).allSatisfy { roles.permits(role, event: $0) }
  }

  /// Whether there is a role that does not get every alarm.
  var hidesAlarms: Bool { Permission.allCases.contains { !permitsAlarms($0, ofDevices: true) } }

  /// Whether the caller's role gets the command. Who sent it is told of it in any case.
  func permits(_ call: Call, commandOf userID: String?) throws(Problem) -> Bool {
    try userID == call.user().id || Self.commandTypes.allSatisfy { permits(call, $0) }
  }

  /// Whether the caller's role gets cooking sessions.
  func permitsSessions(_ call: Call) -> Bool { EventType.cookingSession.allSatisfy { permits(call, $0) } }

  /// Whether the caller's role gets what rules have fired.
  func permitsFirings(_ call: Call) -> Bool { permits(call, .ruleTriggered) }

  // MARK: Readings

  /// The metrics that the caller's role gets. A reading has lost the type of its event: the table has lines of their own for readings, by the appliance's dialect.
  func metrics(_ call: Call) async throws -> RoleTable.Patterns {
    let role = call.permission ?? .watch
    // The appliance is looked up only where its dialect makes a difference.
    guard Dialect.allCases.contains(where: { roles.line($0, role, .readings) != nil }) else { return .everything }
    let caller = try call.user()
    guard let appliance = try await accounts.appliance(call.appliance(), visibleTo: caller.id, as: caller.principal.role) else {
      throw Problem(.applianceNotFound)
    }
    return roles.line(appliance.dialect, role, .readings) ?? .everything
  }

  /// Throws where the caller's role does not get the metric that it asks for.
  func check(_ metric: String, _ call: Call) async throws {
    guard try await metrics(call).permits(metric) else {
      throw Problem(.notPermitted, "The caller's role does not get the metric '\(metric)'.")
    }
  }
}
