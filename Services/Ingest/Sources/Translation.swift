import Models

/// What becomes of one MQTT message. Pure: (topic, payload, time of receipt) → this.
enum Translation: Hashable, Sendable {
  case event(Event, DeviceIdentity)
  /// An event too, if its command is one that waits for it.
  case answer(CommandAnswer)
  case deadLetter(Rejection)
  /// A command of our own.
  case ignored
  /// So many messages has the broker dropped since it started.
  case brokerDropped(Int)
}

/// By what the device itself tells its messages apart, as JSON text.
enum DeviceIdentity: Hashable, Sendable {
  /// `message_id` (or the envelope's `id`): never used twice.
  case messageID([UInt8])
  /// `seq`: may start anew with the device.
  case sequence([UInt8])
  case none
}

/// Why a message cannot be an event. `reason` labels a metric; `explanation` goes with the dead letter.
struct Rejection: Error, Hashable, Sendable {
  enum Reason: String, CaseIterable, Sendable {
    case foreignTopic = "foreign_topic"
    case invalidTopic = "invalid_topic"
    case payloadTooLarge = "payload_too_large"
    case malformedPayload = "malformed_payload"
    case invalidEnvelope = "invalid_envelope"
    /// The envelope names another appliance or type than the topic.
    case contradictsTopic = "contradicts_topic"
    /// A member of a dialect's frame is missing or wrong.
    case invalidMember = "invalid_member"
    /// Another version of reefnet.
    case foreignProtocol = "foreign_protocol"
    /// A type of events that only Martlet tells, or that has a topic of its own.
    case reservedType = "reserved_type"
    case invalidCommandAnswer = "invalid_command_answer"
    /// The answer to a command that has its outcome already, or never was.
    case unknownCommand = "unknown_command"
  }

  let reason: Reason
  let explanation: String
}

extension Translation {
  /// - Parameter payloadByteCount: what the device sent; `payload` is shorter when that was too much.
  init(topic: String, payload: [UInt8], payloadByteCount: Int, receivedAt: Timestamp) {
    do throws(Rejection) {
      self = try Self.translate(topic, payload, payloadByteCount, receivedAt)
    } catch {
      self = .deadLetter(error)
    }
  }

  private static func translate(
    _ topic: String, _ payload: [UInt8], _ payloadByteCount: Int, _ receivedAt: Timestamp
  ) throws(Rejection) -> Translation {
    let meaning: DeviceTopic?
    do { meaning = try DeviceTopic.parse(topic) } catch {
      throw Rejection(reason: .invalidTopic, explanation: error.description)
    }
    guard let meaning else { throw Rejection(reason: .foreignTopic, explanation: "no device publishes to this topic") }
    if case .ownCommand = meaning { return .ignored }
    guard payload.count == payloadByteCount else {
      let explanation = "the payload of \(payloadByteCount) bytes is too large; its first \(payload.count) are kept"
      throw Rejection(reason: .payloadTooLarge, explanation: explanation)
    }
    switch meaning {
    case .event(let appliance, let type):
      guard !type.isReserved else {
        throw Rejection(reason: .reservedType, explanation: "a device cannot tell events of type '\(type)': they are Martlet's own")
      }
      guard !ReefnetFrame.Kind.allCases.contains(where: { $0.eventType == type }) else {
        throw Rejection(reason: .reservedType, explanation: "a frame of '\(type)' comes on 'reefnet/\(appliance)/…' alone")
      }
      let message = try DeviceMessage(payload, receivedAt: receivedAt)
      return .event(try message.event(of: type, from: appliance).withSeverity(), message.identity)
    case .reefnet(let module, let kind): return .event(try reefnet(kind, of: module, payload, receivedAt), .none)
    case .oht50(let robot, let type):
      let message = try DeviceMessage(payload, receivedAt: receivedAt)
      return .event(try oht50(type, of: robot, message), message.identity)
    case .commandAnswer(let appliance):
      return .answer(try DeviceMessage(payload, receivedAt: receivedAt).answer(from: appliance))
    case .brokerDropped: return .brokerDropped(Int(String(decoding: payload, as: UTF8.self)) ?? 0)
    case .ownCommand: return .ignored
    }
  }
}
