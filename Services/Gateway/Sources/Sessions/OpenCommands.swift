internal import Commands
internal import Models

/// A command of a client on its way to the desk where it is accepted.
struct PendingCommand: Hashable, Sendable {
  let id: String
  let appliance: ApplianceID
  let type: EventType
  /// What the client sent as `data`, unread.
  let data: [UInt8]
  /// The client's own name for it.
  let requestID: String?

  var isUrgent: Bool { Command.isUrgent(type) }
}

/// The commands of one connection that have no outcome yet, in any dialect. Pure.
///
/// The user's right is asked for; the appliance is listened to, so that the outcome is heard also where the client is not subscribed; the desk is
/// asked. A stop goes to the desk at once, and if the appliance was not heard yet, what was missed of its outcome is read from the log.
struct OpenCommands {
  enum Action: Equatable {
    /// Send on the events of this command from now on, also where there is no subscription.
    case listen(ApplianceID, commandID: String)
    case unlisten(ApplianceID, commandID: String)
    case request(PendingCommand, Permission, userID: String)
    /// Read the events of a command up to this one.
    case readOutcome(ApplianceID, commandID: String, through: EventID)
    /// Tell the client an event that is not, or not surely, in the log.
    case tell(Event)
    case expire(Command)
  }

  private enum Stage {
    case asking
    case listening(Permission)
    case requested
    case accepted(Command)
    /// The outcome should be among the appliance's events; if it does not come, the client is told without it.
    case refused(CommandFailure)
    case expiring(CommandFailure)
  }

  private struct Open {
    let command: PendingCommand
    var stage: Stage
    var since: Timestamp
    /// Whether the appliance's events reach this connection.
    var isHeard = false
  }

  private let countMax: Int
  private let answerTimeout: Duration
  private var open: [String: Open] = [:]

  init(countMax: Int, answerTimeout: Duration) {
    self.countMax = countMax
    self.answerTimeout = answerTimeout
  }

  /// How long after the deadline the outcome may come, and the log may take to tell a refusal.
  static let grace = Duration.seconds(1)
  /// So many times more stops than other commands find room: a stop is never held up, but a client that sends nothing else ends somewhere.
  static let urgentFactor = 16

  // MARK: Beginning

  /// Takes a command in; false when too many are open.
  mutating func begin(_ command: PendingCommand, now: Timestamp) -> Bool {
    guard open.count < countMax * (command.isUrgent ? Self.urgentFactor : 1) else { return false }
    open[command.id] = Open(command: command, stage: .asking, since: now)
    return true
  }

  /// The user may do so much with the appliance.
  mutating func permitted(_ id: String, _ permission: Permission, userID: String, now: Timestamp) -> [Action] {
    guard let command = open[id]?.command, case .asking = open[id]?.stage else { return [] }
    enter(.listening(permission), id, now)
    return [.listen(command.appliance, commandID: id)] + (command.isUrgent ? request(id, userID: userID, now: now) : [])
  }

  /// The desk is asked. It decides whether the permission is enough.
  private mutating func request(_ id: String, userID: String, now: Timestamp) -> [Action] {
    guard let command = open[id]?.command, case .listening(let permission) = open[id]?.stage else { return [] }
    enter(.requested, id, now)
    return [.request(command, permission, userID: userID)]
  }

  /// The connection hears the appliance: what comes from now on is told.
  mutating func heard(_ id: String, userID: String, now: Timestamp) -> [Action] {
    open[id]?.isHeard = true
    return request(id, userID: userID, now: now)
  }

  /// The connection hears the appliance's events behind `position`.
  mutating func becameLive(_ appliance: ApplianceID, position: EventID, userID: String, now: Timestamp) -> [Action] {
    let waiting = open.filter { _, open in
      // One that still asks for the user's right has not begun to listen: it may come to hear another interest in the appliance than this one.
      guard case .asking = open.stage else { return open.command.appliance == appliance && !open.isHeard }
      return false
    }
    return waiting.keys.sorted().flatMap { id -> [Action] in
      let requests = heard(id, userID: userID, now: now)
      return requests.isEmpty ? [.readOutcome(appliance, commandID: id, through: position)] : requests
    }
  }

  // MARK: Outcomes

  func contains(_ id: String) -> Bool { open[id] != nil }
  func appliance(of id: String) -> ApplianceID? { open[id]?.command.appliance }

  mutating func accepted(_ command: Command, now: Timestamp) { enter(.accepted(command), command.id, now) }

  /// The refusal is in the appliance's history, unless the log did not take it.
  mutating func refused(_ failure: CommandFailure, now: Timestamp) { enter(.refused(failure), failure.commandID, now) }

  /// It needs nothing more.
  mutating func end(_ id: String) -> [Action] {
    guard let ended = open.removeValue(forKey: id) else { return [] }
    return [.unlisten(ended.command.appliance, commandID: id)]
  }

  /// Tells the client of a failure that is not, or not surely, among the appliance's events.
  mutating func fail(_ failure: CommandFailure, now: Timestamp) -> [Action] {
    guard let appliance = open[failure.commandID]?.command.appliance else { return [] }
    return end(failure.commandID) + [.tell(failure.event(of: appliance, at: now))]
  }

  /// What lasts too long.
  struct Overdue {
    var actions: [Action] = []
    /// Neighbours did not answer, and nothing was sent.
    var unanswered: [PendingCommand] = []
  }

  mutating func tick(now: Timestamp) -> Overdue {
    var overdue = Overdue()
    for (id, open) in open.sorted(by: { $0.key < $1.key }) {
      switch open.stage {
      case .asking, .listening:
        if now - open.since > answerTimeout { overdue.unanswered.append(open.command) }
      case .requested: break
      case .accepted(let command):
        guard now > command.expiresAt + Self.grace else { continue }
        enter(.expiring(.timeout(id, command.type, wasSent: true)), id, now)
        overdue.actions.append(.expire(command))
      case .refused(let failure):
        if now - open.since > Self.grace { overdue.actions += fail(failure, now: now) }
      case .expiring(let failure):
        if now - open.since > answerTimeout { overdue.actions += fail(failure, now: now) }
      }
    }
    return overdue
  }

  private mutating func enter(_ stage: Stage, _ id: String, _ now: Timestamp) {
    open[id]?.stage = stage
    open[id]?.since = now
  }
}
