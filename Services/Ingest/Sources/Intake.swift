import Commands
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

  /// What is to be told of a message, should it stay or become a dead letter.
  struct Letter {
    let rejected: RejectedMessage
    let entry: LogEntry
    /// What the device said, should the command be found.
    fileprivate let answer: CommandAnswer?
  }

  private(set) var entries: [LogEntry] = []
  /// By the place of their entries.
  private var letters: [Int: Letter] = [:]
  private(set) var ignoredCount = 0
  /// The appliances that were heard and will not say so when they leave.
  private(set) var sightings: [ApplianceID: Sighting] = [:]
  private(set) var brokerDropped: Int?

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
    let identity = Identity(of: message, clientID: clientID)
    switch translation {
    case .event(let event, let ofDevice):
      if let silenceMax = Sightings.silenceMax(topic: message.topic) {
        sightings[event.applianceID] = Sighting(at: receivedAt, silenceMax: silenceMax)
      }
      let identity = Fingerprint.ofDevice(event, ofDevice).map(Identity.init(everywhere:)) ?? identity
      entries.append(identity.entry(.event(event), order: Self.order(of: event, receivedAt: receivedAt)))
    case .answer(let answer): add(Self.unknownCommand(answer), message, identity, receivedAt, answer)
    case .deadLetter(let rejection): add(rejection, message, identity, receivedAt)
    case .ignored: ignoredCount += 1
    case .brokerDropped(let count): brokerDropped = count
    }
  }

  /// A status is ordered by its receipt: a last will's text was written when the device connected, long before it speaks. So are heater modules' frames: a module may not know the time.
  private static func order(of event: Event, receivedAt: Timestamp) -> Timestamp {
    [.applianceStatus, .reefnetStatus, .reefnetAlarm].contains(event.type) ? receivedAt : min(event.timestamp, receivedAt + clockLead)
  }

  private mutating func add(
    _ rejection: Rejection, _ message: MQTTMessage, _ identity: Identity, _ receivedAt: Timestamp, _ answer: CommandAnswer? = nil
  ) {
    let topic = String(decoding: message.topic.utf8.prefix(Self.topicBytesMax), as: UTF8.self)
    let letter = DeadLetter(topic: topic, payload: message.payload, reason: rejection.explanation, receivedAt: receivedAt)
    let rejected = RejectedMessage(topic: message.topic, rejection: rejection, payload: message.payload)
    let entry = identity.entry(.deadLetter(letter), order: receivedAt)
    letters[entries.count] = Letter(rejected: rejected, entry: entry, answer: answer)
    entries.append(entry)
  }

  /// What became dead letters: by the log's word neither duplicates nor answers.
  func rejected(by outcomes: [AppendOutcome]) -> [RejectedMessage] {
    letters.filter { index, _ in
      if case .deadLetter = entries[index].content { outcomes[index] != .duplicate } else { false }
    }.sorted { $0.key < $1.key }.map(\.value.rejected)
  }

  // MARK: Answers to commands

  /// Appliances that have answered a command, or told a status that may prove one.
  var answering: Set<ApplianceID> {
    let proving = entries.compactMap { entry -> ApplianceID? in
      if case .event(let event) = entry.content, event.type == .reefnetStatus { event.applianceID } else { nil }
    }
    return Set(letters.values.compactMap(\.answer?.applianceID) + proving)
  }

  /// Makes the answers to commands that wait for one into events, in their places, each of which closes its command. One that came before its command was told as
  /// sent tells that too: an app sees every step, in order. Behind a status follows what it proves.
  ///
  /// - Parameters:
  ///   - open: the commands without an outcome, of each appliance that is `answering`.
  ///   - asked: commands as they were requested, by their ids, of those for which `StatusProof` needs it.
  mutating func settle(_ open: [ApplianceID: [OpenCommand]], asked: [String: Command] = [:]) {
    var (settled, places): ([LogEntry], [Int: Letter]) = ([], [:])
    settled.reserveCapacity(entries.count + letters.count)
    for (index, entry) in entries.enumerated() {
      var entry = entry
      if let letter = letters[index] {
        if let answer = letter.answer, let command = open[answer.applianceID]?.first(where: { $0.id == answer.commandID }) {
          if !command.isSent { settled.append(Self.sent(command, at: letter.entry.order)) }
          entry = letter.entry.carrying(answer.event(for: command), .close(id: command.id))
        }
        places[settled.count] = letter
      }
      settled.append(entry)
      settled += StatusProof.entries(in: entry, open: open, asked: asked)
    }
    (entries, letters) = (settled, places)
  }

  private static func sent(_ command: OpenCommand, at time: Timestamp) -> LogEntry {
    let event = CommandOutcome.sent(command.id, command.type, to: command.applianceID, at: time)
    return LogEntry(.event(event), order: time, step: .sent(id: command.id))
  }

  /// The answers that came too late after all: their command had got its outcome meanwhile.
  func late(by outcomes: [AppendOutcome]) -> [Letter] {
    letters.filter { outcomes[$0.key] == .refused }.map(\.value)
  }

  private static func unknownCommand(_ answer: CommandAnswer) -> Rejection {
    let id = answer.commandID.prefix(80)
    return Rejection(reason: .unknownCommand, explanation: "no command '\(id)' of this appliance waits for an answer")
  }
}

/// By what the log knows a message again.
private struct Identity {
  let fingerprint: [UInt8]?
  let mayBeDuplicate: Bool
  let window: LogEntry.Window

  private init(_ fingerprint: [UInt8]?, mayBeDuplicate: Bool, _ window: LogEntry.Window) {
    (self.fingerprint, self.mayBeDuplicate, self.window) = (fingerprint, mayBeDuplicate, window)
  }

  /// Whichever replica it came to.
  init(everywhere fingerprint: [UInt8]) { self.init(fingerprint, mayBeDuplicate: true, .everyone) }

  init(of message: MQTTMessage, clientID: String) {
    if DeviceTopic.isAnswer(message.topic) {
      self.init(everywhere: Fingerprint.ofAnswer(message))
    } else {
      // At QoS 0 the broker sends once.
      let isOnce = message.qos == .atMostOnce
      self.init(isOnce ? nil : Fingerprint.ofDelivery(message, clientID: clientID), mayBeDuplicate: message.isRedelivery, .writer)
    }
  }

  func entry(_ content: LogEntry.Content, order: Timestamp) -> LogEntry {
    LogEntry(content, fingerprint: fingerprint, mayBeDuplicate: mayBeDuplicate, window: window, order: order)
  }
}

extension LogEntry {
  /// The same message, understood.
  fileprivate func carrying(_ event: Event, _ step: CommandStep) -> LogEntry {
    LogEntry(.event(event), fingerprint: fingerprint, mayBeDuplicate: mayBeDuplicate, window: window, order: order, step: step)
  }
}
