internal import Access
internal import Commands
internal import Models

/// The stops of one console, from its word to their outcomes. Pure.
struct ConsoleStops {
  /// What is to be done next.
  enum Step: Equatable {
    case command(OpenCommands.Action)
    case askPermission(ApplianceID, commandID: String)
    case tell(OHT50CommandAck)
    /// The console may stop none of the robots that it means: a mistake, told in the document's own way.
    case refuse(StopOrders.Refusal)
  }

  private var commands: OpenCommands
  private var orders = StopOrders()
  private let makeCommandID: () -> String

  init(limits: SessionLimits, makeCommandID: @escaping () -> String) {
    self.makeCommandID = makeCommandID
    // So many that each robot of the connection can be stopped twice.
    let countMax = max(limits.commandsMax, 2 * limits.subscriptionsMax / OpenCommands.urgentFactor)
    commands = OpenCommands(countMax: countMax, answerTimeout: limits.answerTimeout)
  }

  /// A stop for these robots.
  ///
  /// - Parameter data: what the robots are told beside it.
  mutating func begin(_ robots: [ApplianceID], requestID: String?, data: [UInt8], now: Timestamp) -> [Step] {
    let stops = robots.map {
      PendingCommand(id: makeCommandID(), appliance: $0, type: .emergencyStop, data: data, requestID: requestID)
    }
    var steps = told(orders.begin(stops.map(\.id), requestID: requestID))
    for stop in stops {
      steps +=
        commands.begin(stop, now: now)
        ? [.askPermission(stop.appliance, commandID: stop.id)] : told(orders.refused(stop.id, stop.appliance, .tooMany))
    }
    return steps
  }

  mutating func take(_ grant: AccessGate.Grant, _ robot: ApplianceID, _ id: String, userID: String, now: Timestamp) -> [Step] {
    guard commands.contains(id) else { return [] }
    switch grant {
    case .granted(let permission): return done(commands.permitted(id, permission, userID: userID, now: now))
    case .refused: return giveUp(id, robot, .notPermitted)
    case .unavailable: return giveUp(id, robot, .notAsked)
    }
  }

  mutating func heard(_ id: String, userID: String, now: Timestamp) -> [Step] { done(commands.heard(id, userID: userID, now: now)) }

  mutating func becameLive(_ robot: ApplianceID, position: EventID, userID: String, now: Timestamp) -> [Step] {
    done(commands.becameLive(robot, position: position, userID: userID, now: now))
  }

  mutating func take(_ answer: CommandDesk.Answer, _ id: String, now: Timestamp) -> [Step] {
    if case .accepted(let command) = answer {
      commands.accepted(command, now: now)
      return told(orders.accepted(id, command.applianceID))
    }
    guard let robot = commands.appliance(of: id) else { return [] }
    if case .failed(let failure) = answer { return giveUp(id, robot, .init(failure)) }
    return giveUp(id, robot, .unknown)
  }

  /// Events of a command's life.
  mutating func went(_ id: String, _ events: [Event]) -> [Step] {
    guard commands.contains(id) else { return [] }
    return events.flatMap { event -> [Step] in
      let isOver = event.type == .commandAcknowledged || event.type == .commandFailed
      return told(orders.went(id, event)) + (isOver ? done(commands.end(id)) : [])
    }
  }

  /// The log could not be told that a command's time is over.
  mutating func expired(_ failure: CommandFailure, now: Timestamp) -> [Step] { done(commands.fail(failure, now: now)) }

  mutating func tick(now: Timestamp) -> [Step] {
    let overdue = commands.tick(now: now)
    return done(overdue.actions) + overdue.unanswered.flatMap { giveUp($0.id, $0.appliance, .notAsked) }
  }

  private mutating func giveUp(_ id: String, _ robot: ApplianceID, _ why: StopOrders.Refusal) -> [Step] {
    done(commands.end(id)) + told(orders.refused(id, robot, why))
  }

  private mutating func done(_ actions: [OpenCommands.Action]) -> [Step] {
    actions.flatMap { action -> [Step] in
      guard case .tell(let event) = action else { return [.command(action)] }
      return event.commandID.map { told(orders.went($0, event)) } ?? []
    }
  }

  private func told(_ word: StopOrders.Word) -> [Step] {
    (word.refusal.map { [.refuse($0)] } ?? []) + word.acks.map(Step.tell)
  }
}
