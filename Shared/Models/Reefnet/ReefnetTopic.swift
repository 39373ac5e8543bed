/// A module's MQTT topic in the reefnet dialect (SPEC, section 3): `reefnet/<module_id>/status` and `…/alarm` in, `…/control` out.
package struct ReefnetTopic: Hashable, Sendable {
  package let moduleID: ApplianceID
  /// What the module says there; nil for `control`, where it hears.
  package let kind: ReefnetFrame.Kind?

  /// Nil for every topic that the dialect does not have.
  package init?(_ topic: some StringProtocol) {
    let parts = topic.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "reefnet", let moduleID = try? ApplianceID(String(parts[1])) else { return nil }
    self.moduleID = moduleID
    kind = ReefnetFrame.Kind(rawValue: String(parts[2]))
    guard kind != nil || parts[2] == "control" else { return nil }
  }

  /// Where a module hears commands of `type`, or nil for a type that the dialect does not have.
  package static func topic(ofCommand type: EventType, module: ApplianceID) -> String? {
    ReefnetCommand(type).map { _ in "reefnet/\(module)/control" }
  }

  /// Where a module says such frames.
  package static func topic(of kind: ReefnetFrame.Kind, module: ApplianceID) -> String { "reefnet/\(module)/\(kind.rawValue)" }
}
