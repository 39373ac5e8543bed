import ArgumentParser
import MQTTClient
import Models

/// A device as a pure state machine: time and messages go in, what it publishes comes out.
protocol SimulatedDevice: Sendable {
  var appliance: ApplianceID { get }
  /// Where it hears commands.
  var subscriptions: [MQTTSubscription] { get throws }
  /// What the broker says in its name when it vanishes.
  var will: MQTTWill { get }
  /// Whether it has done what it was to do.
  var isDone: Bool { get }

  mutating func powerOn(at now: Timestamp) throws -> [MQTTPublication]
  mutating func powerOff(at now: Timestamp) throws -> [MQTTPublication]
  /// What it says when it is connected again: while it was away, its last will spoke.
  mutating func greet(at now: Timestamp) throws -> [MQTTPublication]
  mutating func advance(_ step: SimulatedStep) throws -> [MQTTPublication]
  mutating func hear(_ message: MQTTMessage, at now: Timestamp) throws -> [MQTTPublication]
}

/// Time that has passed since the last step.
struct SimulatedStep: Sendable, Equatable {
  /// In the device's world.
  var simulatedSeconds: Double
  var now: Timestamp
}

/// What a simulated device does with commands.
enum CommandManner: String, Sendable, CaseIterable, ExpressibleByArgument {
  case obey, reject, silent
}

/// What a device that its dialect gives no word for it has its last will say.
enum PresenceWill {
  static func offline(of appliance: ApplianceID) -> MQTTPublication {
    MQTTPublication(topic: "martlet/\(appliance)/events/\(EventType.applianceStatus)", payload: Array(#"{"status":"offline"}"#.utf8))
  }

  static func will(of appliance: ApplianceID) -> MQTTWill {
    let word = offline(of: appliance)
    return MQTTWill(topic: word.topic, payload: word.payload)
  }
}
