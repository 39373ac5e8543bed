/// A robot's MQTT topic in the OHT-50 dialect (SPEC, sections 3 and 4).
package struct OHT50Topic: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// `oht50/<robot_id>/<event type>`
    case event(EventType)
    /// `oht50/<robot_id>/command/ack`
    case commandAcknowledgement
    /// `oht50/<robot_id>/command/<type>`: a command of ours on its way to the robot.
    case command
  }

  package let robotID: ApplianceID
  package let kind: Kind

  /// Nil for every topic that the dialect does not have, and for events of none of its families.
  package init?(_ topic: some StringProtocol) {
    let parts = topic.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[0] == "oht50", let robotID = try? ApplianceID(String(parts[1])) else { return nil }
    self.robotID = robotID
    switch (parts.count, parts[2]) {
    case (3, let name):
      guard let type = try? EventType(String(name)), OHT50Family(type) != nil else { return nil }
      kind = .event(type)
    case (4, "command"): kind = parts[3] == "ack" ? .commandAcknowledgement : .command
    default: return nil
    }
  }

  /// Where a robot hears commands of `type`, or nil for a type that the dialect does not have: its document has the stop alone.
  package static func topic(ofCommand type: EventType, robot: ApplianceID) -> String? {
    type == .emergencyStop ? "oht50/\(robot)/command/\(type)" : nil
  }

  /// Where a robot says events of this type.
  package static func topic(of type: EventType, robot: ApplianceID) -> String { "oht50/\(robot)/\(type)" }
}

extension EventType {
  /// The command that stops a robot.
  package static let emergencyStop = EventType(known: "emergency_stop")
}
