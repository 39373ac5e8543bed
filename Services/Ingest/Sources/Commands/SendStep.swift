import EventLog
import MQTTClient
import Models

/// What to do next with a command that is to be sent. Pure: (command, what is open on its appliance, time) → this.
enum SendStep: Hashable {
  case publish(MQTTPublication)
  /// One before it is unsent, maybe in another replica's hands: it waits, so that a resume does not overtake its pause.
  case wait
  /// A stop overtakes it: it is closed instead.
  case supersede
  /// It is sent already, it has its outcome, or its deadline has passed, which is the sweeper's to tell.
  case drop

  /// - Parameters:
  ///   - open: the appliance's commands without an outcome, or nil when the log was not asked, which stops no stop.
  ///   - version: what the broker is spoken to in.
  init(_ command: Command, among open: [OpenCommand]?, now: Timestamp, version: MQTTConfiguration.ProtocolVersion) {
    let isWaiting = open.map { $0.contains { $0.id == command.id && !$0.isSent } } ?? true
    guard isWaiting, now < command.expiresAt else {
      self = .drop
      return
    }
    let others = (open ?? []).filter { !$0.isSent && $0.id != command.id }
    if command.isUrgent {
      self = .publish(MQTTPublication(command, now: now, version: version))
    } else if others.contains(where: \.isUrgent) {
      self = .supersede
    } else if others.contains(where: { ($0.expiresAt, $0.id) < (command.expiresAt, command.id) }) {
      self = .wait
    } else {
      self = .publish(MQTTPublication(command, now: now, version: version))
    }
  }
}

extension OpenCommand {
  /// What a stop overtakes. Which of two was requested first cannot be told for certain, and stopped is the safe side to err on.
  static func overtaken(among open: [OpenCommand]) -> [OpenCommand] { open.filter { !$0.isSent && !$0.isUrgent } }
}

extension MQTTPublication {
  /// How a command goes out: never retained, and gone from every queue of the broker when its deadline has passed.
  ///
  /// The broker counts whole seconds, and Mosquitto keeps a message up to a second longer than it was told. So the expiry is rounded down and one less, and where nothing is
  /// left of it, or the protocol knows none (3.1.1), the command goes at QoS 0, which no broker keeps for a device that is away.
  init(_ command: Command, now: Timestamp, version: MQTTConfiguration.ProtocolVersion) {
    let seconds = (command.expiresAt - now).components.seconds - 1
    let isKept = seconds >= 1 && version == .v5
    self.init(
      topic: command.topic, payload: command.encoded(), qos: isKept ? .atLeastOnce : .atMostOnce,
      expiry: isKept ? .seconds(seconds) : nil)
  }
}
