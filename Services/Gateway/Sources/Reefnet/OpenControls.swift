internal import Commands
internal import Models

/// A UI's control on its way to the desk where commands are accepted.
struct PendingControl: Hashable, Sendable {
  /// The command's id.
  let id: String
  let module: ApplianceID
  let command: ReefnetCommand
  let requestID: String?
  /// The frame as it came.
  let frame: [UInt8]
}

/// The controls of one UI that have no outcome yet. Pure.
///
/// They go to the desk one after the other, so that of two values for one setpoint the later one counts, and each only once its module is heard, so that no word of what becomes of it is missed.
struct OpenControls {
  typealias Action = ReefnetSessionMachine.Action

  private enum Stage {
    case waiting
    case requested
    case accepted(Command)
    /// It is late: the log is asked to tell.
    case expiring
  }

  private struct Open {
    let control: PendingControl
    var stage = Stage.waiting
    var since: Timestamp
  }

  private let countMax: Int
  private let answerTimeout: Duration
  private var open: [String: Open] = [:]
  /// Those that wait for the desk, in their order; the first may be there already.
  private var line: [String] = []

  init(countMax: Int, answerTimeout: Duration) {
    self.countMax = countMax
    self.answerTimeout = answerTimeout
  }

  /// How long after the deadline the outcome may come.
  static let grace = Duration.seconds(1)

  /// - Parameter heard: the modules whose events come.
  mutating func begin(_ control: PendingControl, heard: Set<ApplianceID>, userID: String, now: Timestamp) -> [Action] {
    guard open.count < countMax else {
      let message = "Too many commands of this connection wait for their outcome; send it again when some have it."
      return [Self.ack(control, .failed(code: CommandFailure.Code.tooManyCommands.rawValue, message: message), now)]
    }
    open[control.id] = Open(control: control, since: now)
    line.append(control.id)
    return advance(heard: heard, userID: userID, now: now)
  }

  /// Asks the desk for the first that waits, unless one is there.
  mutating func advance(heard: Set<ApplianceID>, userID: String, now: Timestamp) -> [Action] {
    guard let id = line.first, let control = open[id]?.control, case .waiting = open[id]?.stage, heard.contains(control.module) else {
      return []
    }
    enter(.requested, id, now)
    return [.request(control, userID: userID)]
  }

  /// The desk has answered. Throws where the answer is silence.
  mutating func answered(_ id: String, _ answer: ReefnetSessionMachine.Answer, now: Timestamp) throws(ReefnetMisstep) -> [Action] {
    line.removeAll { $0 == id }
    // Its outcome may have been faster.
    guard let control = open[id]?.control else { return [] }
    switch answer {
    case .desk(.accepted(let command)):
      enter(.accepted(command), id, now)
      return []
    case .desk(.failed(let failure)):
      open[id] = nil
      switch failure.code {
      case .notPermitted, .invalidCommand: throw .notPermitted
      case .applianceOffline, .timeout, .rejected, .superseded, .tooManyCommands:
        return [Self.ack(control, .failed(code: failure.code.rawValue, message: failure.message), now)]
      }
    case .desk(.unavailable): return fail(id, Self.unknownWhetherSent, now)
    case .unavailable: return fail(id, Self.notSent, now)
    case .refused:
      open[id] = nil
      throw .notPermitted
    }
  }

  /// A step in a command's life, as the module's events tell it.
  mutating func told(_ event: Event, commandID: String, now: Timestamp) -> [Action] {
    guard let control = open[commandID]?.control, let status = ReefnetCommandAck.Status(event) else { return [] }
    if status.isOutcome { open[commandID] = nil }
    return [Self.ack(control, status, event.timestamp)]
  }

  func contains(_ id: String) -> Bool { open[id] != nil }

  /// The word on a late one came to nothing.
  mutating func expired(_ failure: CommandFailure, now: Timestamp) -> [Action] {
    guard let control = open.removeValue(forKey: failure.commandID)?.control else { return [] }
    return [Self.ack(control, .failed(code: failure.code.rawValue, message: failure.message), now)]
  }

  mutating func tick(now: Timestamp) -> [Action] {
    var actions: [Action] = []
    for (id, control) in open.sorted(by: { $0.key < $1.key }) {
      switch control.stage {
      case .waiting where now - control.since > answerTimeout:
        line.removeAll { $0 == id }
        actions += fail(id, Self.notSent, now)
      case .accepted(let command) where now > command.expiresAt + Self.grace:
        enter(.expiring, id, now)
        actions.append(.expire(command))
      case .expiring where now - control.since > answerTimeout: actions += fail(id, Self.unknownWhetherSent, now)
      case .waiting, .requested, .accepted, .expiring: break
      }
    }
    return actions
  }

  private mutating func fail(_ id: String, _ message: String, _ now: Timestamp) -> [Action] {
    guard let control = open.removeValue(forKey: id)?.control else { return [] }
    return [Self.ack(control, .failed(code: "TEMPORARILY_UNAVAILABLE", message: message), now)]
  }

  private static let notSent = "The command was not sent, because a database did not answer; send it again in a moment."
  private static let unknownWhetherSent =
    "The event log did not answer in time, so whether the command is sent is unknown; look at the module."

  private mutating func enter(_ stage: Stage, _ id: String, _ now: Timestamp) {
    open[id]?.stage = stage
    open[id]?.since = now
  }

  private static func ack(_ control: PendingControl, _ status: ReefnetCommandAck.Status, _ now: Timestamp) -> Action {
    let ack = ReefnetCommandAck(
      moduleID: control.module, requestID: control.requestID, commandID: control.id, command: control.command, status: status, sentAt: now)
    return .send(ReefnetServerMessage.commandAck(ack).encoded())
  }
}
