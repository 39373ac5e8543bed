/// A device's MQTT topic in the Epicura dialect (SPEC, section 3).
package struct EpicuraTopic: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// The payload is an event of this type.
    case event(EventType)
    /// The payload answers a command: `{"command_id","status","message"}`.
    case commandAcknowledgement
    /// A command of ours on its way to the device.
    case command
  }

  package let applianceID: ApplianceID
  package let kind: Kind

  /// Reads `epicura/<appliance_id>/<suffix>`; nil for every topic that the dialect does not have.
  package init?(_ topic: some StringProtocol) {
    let parts = topic.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "epicura", let applianceID = try? ApplianceID(String(parts[1])),
      let kind = Self.kinds[String(parts[2])]
    else { return nil }
    self.applianceID = applianceID
    self.kind = kind
  }

  private static let kinds: [String: Kind] = {
    let events = [
      "status": "appliance:status", "alert": "appliance:alert", "session/started": "cooking:started",
      "session/progress": "cooking:progress",
      "session/stage_change": "cooking:stage_change", "session/complete": "cooking:complete", "session/error": "cooking:error",
    ]
    var kinds = events.compactMapValues { try? EventType($0) }.mapValues(Kind.event)
    kinds["command/ack"] = .commandAcknowledgement
    for command in commands { kinds["command/\(command)"] = .command }
    return kinds
  }()

  /// `cooking:start` goes to `epicura/<appliance_id>/command/start`, and so on.
  private static let commands = ["start", "pause", "resume", "stop"]

  /// Where a device publishes events of `type`, or nil for a type that the dialect has no topic for.
  package static func topic(of type: EventType, appliance: ApplianceID) -> String? {
    kinds.first { $0.value == .event(type) }.map { "epicura/\(appliance)/\($0.key)" }
  }

  /// Where a device hears commands of `type`, or nil for a type that the dialect does not have.
  package static func topic(ofCommand type: EventType, appliance: ApplianceID) -> String? {
    commands.first { type.rawValue == "cooking:\($0)" }.map { "epicura/\(appliance)/command/\($0)" }
  }
}
