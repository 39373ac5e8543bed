import Models

/// What a topic that ingest is subscribed to means. Pure.
enum DeviceTopic: Hashable, Sendable {
  /// The payload is an event of this type.
  case event(ApplianceID, EventType)
  /// The payload is a heater module's frame.
  case reefnet(ApplianceID, ReefnetFrame.Kind)
  /// The payload is a robot's event of this type.
  case oht50(ApplianceID, EventType)
  /// The payload answers a command (SPEC, section 4).
  case commandAnswer(ApplianceID)
  /// A command of ours on its way to a device. No filter asks for them.
  case ownCommand
  /// The broker's count of messages that it dropped.
  case brokerDropped

  /// Of what replicas share. None of these and of the answers' may match a command: the broker tells by the subscriptions whether a device is there to hear it.
  static let eventFilters = [
    "epicura/+/+", "epicura/+/session/#", "reefnet/+/status", "reefnet/+/alarm", "oht50/+/+", "martlet/+/events/#",
  ]
  /// Of what every replica hears.
  static let answerFilters = ["epicura/+/command/ack", "oht50/+/command/ack", "martlet/+/commands/ack"]
  static let brokerDroppedTopic = "$SYS/broker/publish/messages/dropped"

  /// - Returns: `nil` for a topic that no dialect has.
  /// - Throws: `ModelError` for one with an invalid appliance id or event type in it.
  static func parse(_ topic: String) throws(ModelError) -> DeviceTopic? {
    if topic == brokerDroppedTopic { return .brokerDropped }
    if let meaning = epicura(topic) ?? reefnet(topic) ?? oht50(topic) { return meaning }
    return try martlet(topic)
  }

  /// Whether one of `answerFilters` matches the topic.
  static func isAnswer(_ topic: String) -> Bool { topic.hasSuffix("/command/ack") || topic.hasSuffix("/commands/ack") }

  private static func epicura(_ topic: String) -> DeviceTopic? {
    EpicuraTopic(topic).map { topic in
      switch topic.kind {
      case .event(let type): .event(topic.applianceID, type)
      case .commandAcknowledgement: .commandAnswer(topic.applianceID)
      case .command: .ownCommand
      }
    }
  }

  private static func reefnet(_ topic: String) -> DeviceTopic? {
    ReefnetTopic(topic).map { topic in topic.kind.map { .reefnet(topic.moduleID, $0) } ?? .ownCommand }
  }

  private static func oht50(_ topic: String) -> DeviceTopic? {
    OHT50Topic(topic).map { topic in
      switch topic.kind {
      case .event(let type): .oht50(topic.robotID, type)
      case .commandAcknowledgement: .commandAnswer(topic.robotID)
      case .command: .ownCommand
      }
    }
  }

  /// `martlet/<appliance_id>/events/<type>` and `martlet/<appliance_id>/commands/<type>` (SPEC, section 1).
  private static func martlet(_ topic: String) throws(ModelError) -> DeviceTopic? {
    let parts = topic.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "martlet" else { return nil }
    switch (parts[2], parts[3]) {
    case ("events", let type): return .event(try ApplianceID(String(parts[1])), try EventType(String(type)))
    case ("commands", "ack"): return .commandAnswer(try ApplianceID(String(parts[1])))
    case ("commands", _): return .ownCommand
    default: return nil
    }
  }
}
