import EventLog
import MQTTClient
import Models

/// One batch, sorted into what the log takes and what is only counted. Pure.
struct Intake {
  struct RejectedMessage: Hashable {
    let topic: String
    let rejection: Rejection
    let payload: [UInt8]
  }

  private struct PendingAnswer {
    let answer: CommandAnswer
    let rejected: RejectedMessage
    let letter: LogEntry
  }

  private(set) var entries: [LogEntry] = []
  private(set) var rejected: [RejectedMessage] = []
  private(set) var ignoredCount = 0
  private(set) var brokerDropped: Int?
  /// Answers of devices, by the place of their entry, which is a dead letter until the command is found.
  private var answers: [Int: PendingAnswer] = [:]

  /// How far ahead of the receipt a device's clock is believed when the newest is told from the late.
  static let clockLead = Duration.seconds(300)
  /// A longer topic is cut in its dead letter.
  static let topicBytesMax = 1024

  init(_ messages: [MQTTMessage], clientID: String, receivedAt: Timestamp) {
    entries.reserveCapacity(messages.count)
    for message in messages { take(message, clientID, receivedAt) }
  }

  private mutating func take(_ message: MQTTMessage, _ clientID: String, _ receivedAt: Timestamp) {
    let translation = Translation(
      topic: message.topic, payload: message.payload, payloadByteCount: message.payloadByteCount, receivedAt: receivedAt)
    // At QoS 0 the broker sends once.
    let ofDelivery = message.qos == .atMostOnce ? nil : Fingerprint.ofDelivery(message, clientID: clientID)
    switch translation {
    case .event(let event, let identity):
      let ofDevice = Fingerprint.ofDevice(event, identity)
      entries.append(
        LogEntry(
          .event(event), fingerprint: ofDevice ?? ofDelivery, mayBeDuplicate: ofDevice != nil || message.isRedelivery,
          window: ofDevice != nil ? .everyone : .writer,
          order: Self.order(of: event, receivedAt: receivedAt)))
    case .answer(let answer):
      let rejected = RejectedMessage(topic: message.topic, rejection: Self.unknownCommand(answer), payload: message.payload)
      let letter = Self.letter(rejected, fingerprint: ofDelivery, isRedelivery: message.isRedelivery, receivedAt)
      answers[entries.count] = PendingAnswer(answer: answer, rejected: rejected, letter: letter)
      entries.append(letter)
    case .deadLetter(let rejection):
      rejected.append(RejectedMessage(topic: message.topic, rejection: rejection, payload: message.payload))
      entries.append(Self.letter(rejected[rejected.count - 1], fingerprint: ofDelivery, isRedelivery: message.isRedelivery, receivedAt))
    case .ignored: ignoredCount += 1
    case .brokerDropped(let count): brokerDropped = count
    }
  }

  /// A status is ordered by its receipt: a last will's text was written when the device connected, long before it speaks.
  private static func order(of event: Event, receivedAt: Timestamp) -> Timestamp {
    event.type.rawValue == "appliance:status" ? receivedAt : min(event.timestamp, receivedAt + clockLead)
  }

  private static func letter(
    _ message: RejectedMessage, fingerprint: [UInt8]?, isRedelivery: Bool, _ receivedAt: Timestamp
  ) -> LogEntry {
    let topic = String(decoding: message.topic.utf8.prefix(topicBytesMax), as: UTF8.self)
    let letter = DeadLetter(topic: topic, payload: message.payload, reason: message.rejection.explanation, receivedAt: receivedAt)
    return LogEntry(.deadLetter(letter), fingerprint: fingerprint, mayBeDuplicate: isRedelivery, order: receivedAt)
  }

  // MARK: Answers to commands

  /// Appliances that have answered a command.
  var answering: Set<ApplianceID> { Set(answers.values.map(\.answer.applianceID)) }

  /// Makes the answers to commands that wait for one into events, in their places, each of which closes its command. One that came before its command was told as
  /// sent tells that too: an app sees every step, in order.
  ///
  /// - Parameter open: the commands without an outcome, of each appliance that has answered one.
  mutating func settle(_ open: [ApplianceID: [OpenCommand]]) {
    var (settled, places): ([LogEntry], [Int: PendingAnswer]) = ([], [:])
    settled.reserveCapacity(entries.count + answers.count)
    for (index, entry) in entries.enumerated() {
      guard let pending = answers[index] else {
        settled.append(entry)
        continue
      }
      if let command = open[pending.answer.applianceID]?.first(where: { $0.id == pending.answer.commandID }) {
        if !command.isSent { settled.append(Self.sent(command, at: pending.letter.order)) }
        places[settled.count] = pending
        settled.append(Self.answer(pending, to: command))
      } else {
        rejected.append(pending.rejected)
        places[settled.count] = pending
        settled.append(entry)
      }
    }
    (entries, answers) = (settled, places)
  }

  private static func sent(_ command: OpenCommand, at time: Timestamp) -> LogEntry {
    let event = CommandOutcome.sent(command.id, command.type, to: command.applianceID, at: time)
    return LogEntry(.event(event), order: time, step: .sent(id: command.id))
  }

  private static func answer(_ pending: PendingAnswer, to command: OpenCommand) -> LogEntry {
    LogEntry(
      .event(pending.answer.event(for: command)), fingerprint: pending.letter.fingerprint, mayBeDuplicate: pending.letter.mayBeDuplicate,
      order: pending.letter.order, step: .close(id: command.id))
  }

  /// The answers that came too late after all, as dead letters: their command had got its outcome meanwhile.
  mutating func late(by outcomes: [AppendOutcome]) -> [LogEntry] {
    answers.filter { outcomes[$0.key] == .refused }.map { _, pending in
      rejected.append(pending.rejected)
      return pending.letter
    }
  }

  private static func unknownCommand(_ answer: CommandAnswer) -> Rejection {
    let id = answer.commandID.prefix(80)
    return Rejection(reason: .unknownCommand, explanation: "no command '\(id)' of this appliance waits for an answer")
  }
}
