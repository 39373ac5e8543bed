internal import Access
internal import Commands
internal import Models
internal import WebSocketTransport

/// What one app's connection does (the Epicura document, "Connection Lifecycle"): input in, actions out. Pure.
struct EpicuraSessionStateMachine {
  /// What a user's right on an appliance is asked for.
  enum Purpose: Hashable {
    case subscription(attempt: Int)
    case command(id: String, isUrgent: Bool)
  }

  enum Input {
    case admission(AccessGate.Admission)
    case frame([UInt8])
    case grant(ApplianceID, Purpose, AccessGate.Grant)
    /// The appliance's events behind `position` come from now on; those up to it are in the log.
    case live(ApplianceID, position: EventID)
    /// Nil when the log could not be asked.
    case log(ApplianceID, attempt: Int, LogReading?)
    /// How far the client was told what it missed.
    case delivered(ApplianceID, Delivery)
    /// The client has taken everything that it was given.
    case drained
    /// Users, appliances, their sharing or tokens have changed.
    case accessChanged(AccessChange)
    /// Nil when the directory could not be asked.
    case rechecked(AccessGate.Recheck?)
    /// What became of the token in `auth`.
    case renewal(AccessGate.Admission)
    /// Answers `listen`; where the appliance is not live yet, `live` follows.
    case listening(commandID: String, isLive: Bool)
    case answered(commandID: String, CommandDesk.Answer)
    /// The events of a command that were missed.
    case outcome(commandID: String, [Event])
    /// The outcome of a command went out.
    case settled(commandID: String)
    /// Answers `expire`: what the client must be told, because the log cannot be told.
    case expired(CommandFailure?)
    /// About once a second.
    case tick
  }

  enum Action: Equatable {
    case send(EpicuraServerMessage)
    case sendEvent(Event)
    /// Send an event of a command's life, unless it went out already.
    case tellMissed(Event)
    case askPermission(Principal, ApplianceID, Purpose)
    /// Listen to the appliance and hold what comes. Answered by `live`, at once where it is live already.
    case join(ApplianceID)
    /// - `since`: the last discrete event that the client knows, where it is owed the later ones.
    case readLog(ApplianceID, attempt: Int, since: EventID?)
    /// Tell the client what it missed, and then what was held. Answered by `delivered`.
    case deliver(ApplianceID, Recovery)
    case leave(ApplianceID)
    case recheck(Principal, [ApplianceID])
    case renew(token: String)
    /// Send on the events of this command from now on, also where there is no subscription. Answered by `listening`.
    case listen(ApplianceID, commandID: String)
    case unlisten(ApplianceID, commandID: String)
    case request(PendingCommand, Permission, userID: String)
    /// Read the events of a command up to this one.
    case readOutcome(ApplianceID, commandID: String, through: EventID)
    case expire(Command)
    case close(WebSocketCloseCode, reason: String)
    case closeAsSlow
  }

  private var visit: Visit
  private var subscriptions: EpicuraSubscriptions
  private var commands: OpenCommands
  private let makeCommandID: () -> String

  /// - Parameter makeCommandID: names a command so that nobody guesses it.
  init(limits: SessionLimits = SessionLimits(), now: Timestamp, makeCommandID: @escaping () -> String = CommandDesk.randomID) {
    self.makeCommandID = makeCommandID
    visit = Visit(limits: limits, now: now)
    commands = OpenCommands(countMax: limits.commandsMax, answerTimeout: limits.answerTimeout)
    subscriptions = EpicuraSubscriptions(countMax: limits.subscriptionsMax, answerTimeout: limits.answerTimeout)
  }

  mutating func handle(_ input: Input, now: Timestamp) -> [Action] {
    if let principal = visit.principal { return handle(input, of: principal, now: now) }
    switch input {
    case .admission(let admission): return admit(admission, now: now)
    case .frame(let frame): return close(visit.keep(frame))
    case .tick:
      if case .ended(let end) = visit.tick(now: now) { return close(end) }
    case .accessChanged: visit.mustBeRechecked()
    default: break
    }
    return []
  }

  private mutating func handle(_ input: Input, of principal: Principal, now: Timestamp) -> [Action] {
    switch input {
    case .admission: return []
    case .frame(let frame): return take(frame, of: principal, now: now)
    case .grant(let appliance, .subscription(let attempt), let grant): return take(grant, appliance, attempt, now: now)
    case .grant(let appliance, .command(let id, _), let grant): return take(grant, appliance, commandID: id, of: principal, now: now)
    case .live(let appliance, let position):
      return subscriptions.becameLive(appliance, position: position, now: now)
        + commands.becameLive(appliance, position: position, userID: principal.subject, now: now).carriedOut
    case .log(let appliance, let attempt, let reading): return take(reading, appliance, attempt, now: now)
    case .delivered(let appliance, let delivery): return subscriptions.delivered(appliance, delivery, now: now)
    case .drained: return subscriptions.drained(now: now)
    case .accessChanged(let change): return isConcerned(principal, by: change) ? recheck() : []
    case .rechecked(let answer): return take(answer, now: now)
    case .renewal(let admission): return take(admission, now: now)
    case .listening(let id, let isLive): return isLive ? commands.heard(id, userID: principal.subject, now: now).carriedOut : []
    case .answered(let id, let answer): return take(answer, commandID: id, now: now)
    case .outcome(let id, let events): return commands.contains(id) ? events.map(Action.tellMissed) + settle(id, by: events) : []
    case .settled(let id): return commands.end(id).carriedOut
    case .expired(let failure): return failure.map { commands.fail($0, now: now).carriedOut } ?? []
    case .tick: return tick(now: now)
    }
  }

  // MARK: Coming in

  private mutating func admit(_ admission: AccessGate.Admission, now: Timestamp) -> [Action] {
    switch visit.admit(admission) {
    case .entered(let principal, let early):
      let connected: [Action] = [.send(.connected(userID: principal.subject))] + recheckIfDue()
      return early.reduce(connected) { $0 + handle(.frame($1), now: now) }
    case .ended(let end): return close(end)
    case nil: return []
    }
  }

  private func close(_ end: Visit.End?) -> [Action] { end.map { [.close($0.code, reason: $0.reason)] } ?? [] }

  // MARK: Frames

  private mutating func take(_ frame: [UInt8], of principal: Principal, now: Timestamp) -> [Action] {
    do throws(EpicuraRejection) {
      switch try EpicuraClientMessage(parsing: frame) {
      case .ping: return [.send(.pong)]
      case .subscribe(let appliance, let since):
        let attempt = try subscriptions.begin(appliance, since: since, now: now)
        return attempt.map { [.askPermission(principal, appliance, .subscription(attempt: $0))] } ?? []
      case .unsubscribe(let appliance): return subscriptions.end(appliance, now: now) + [.send(.unsubscribed(appliance, now))]
      case .command(let type, let appliance, let data, let requestID):
        let command = PendingCommand(id: makeCommandID(), appliance: appliance, type: type, data: data, requestID: requestID)
        return begin(command, of: principal, now: now)
      case .auth(let token): return renew(by: token, now: now)
      }
    } catch {
      return reject(error, now: now)
    }
  }

  /// Tells the client, and closes it when it makes too many mistakes. What the server cannot do now is no mistake.
  private mutating func reject(_ rejection: EpicuraRejection, now: Timestamp) -> [Action] {
    switch rejection.code {
    case .temporarilyUnavailable: return [.send(.error(rejection, now))]
    case .malformedMessage, .unknownType, .applianceNotFound, .tooManySubscriptions, .authenticationFailed:
      return countMistake(now: now) ?? [.send(.error(rejection, now))]
    }
  }

  /// Nil while there are not too many.
  private mutating func countMistake(now: Timestamp) -> [Action]? {
    visit.countMistake(now: now).map { close($0) }
  }

  // MARK: Time

  private mutating func tick(now: Timestamp) -> [Action] {
    var actions: [Action] = []
    switch visit.tick(now: now) {
    case .ended(let end): return close(end)
    case .expiring(let end): actions.append(.send(.tokenExpiring(now, expiresAt: end)))
    case nil: break
    }
    for appliance in subscriptions.late(now: now) { actions += giveUp(appliance, now: now) }
    let overdue = commands.tick(now: now)
    actions += overdue.actions.carriedOut
    for command in overdue.unanswered { actions += commands.end(command.id).carriedOut + reject(.notSent(command.appliance), now: now) }
    return actions + recheckIfDue()
  }

  // MARK: Token

  private mutating func renew(by token: String, now: Timestamp) -> [Action] {
    do {
      try visit.beginRenewal()
      return [.renew(token: token)]
    } catch {
      return reject(EpicuraRejection(error), now: now)
    }
  }

  private mutating func take(_ admission: AccessGate.Admission, now: Timestamp) -> [Action] {
    do {
      guard let principal = try visit.renew(admission) else { return [] }
      // The other token may bring another role.
      return [.send(.authenticated(now, expiresAt: principal.expiresAt))] + recheck()
    } catch {
      return reject(EpicuraRejection(error), now: now)
    }
  }

  // MARK: Subscriptions

  private mutating func take(_ answer: AccessGate.Grant, _ appliance: ApplianceID, _ attempt: Int, now: Timestamp) -> [Action] {
    guard subscriptions.isAsking(appliance, attempt: attempt) else { return [] }
    switch answer {
    case .granted: return subscriptions.permitted(appliance, now: now)
    case .refused: return subscriptions.end(appliance, now: now) + reject(.notFound(appliance), now: now)
    case .unavailable: return giveUp(appliance, now: now)
    }
  }

  private mutating func take(_ reading: LogReading?, _ appliance: ApplianceID, _ attempt: Int, now: Timestamp) -> [Action] {
    guard subscriptions.isReading(appliance, attempt: attempt) else { return [] }
    guard let reading else { return giveUp(appliance, now: now) }
    return subscriptions.read(reading, appliance, now: now)
  }

  private mutating func giveUp(_ appliance: ApplianceID, now: Timestamp) -> [Action] {
    subscriptions.end(appliance, now: now) + reject(.unavailable(appliance), now: now)
  }

  // MARK: Commands

  private mutating func begin(_ command: PendingCommand, of principal: Principal, now: Timestamp) -> [Action] {
    guard commands.begin(command, now: now) else {
      let failure = CommandFailure(
        commandID: command.id, type: command.type, code: .tooManyCommands,
        message: "Too many commands of this connection wait for their outcome; send it again when some have it.")
      return [.sendEvent(failure.event(of: command.appliance, at: now))]
    }
    return [.askPermission(principal, command.appliance, .command(id: command.id, isUrgent: command.isUrgent))]
  }

  private mutating func take(
    _ grant: AccessGate.Grant, _ appliance: ApplianceID, commandID id: String, of principal: Principal, now: Timestamp
  ) -> [Action] {
    guard commands.contains(id) else { return [] }
    switch grant {
    case .granted(let permission): return commands.permitted(id, permission, userID: principal.subject, now: now).carriedOut
    case .refused: return commands.end(id).carriedOut + reject(.notFound(appliance), now: now)
    case .unavailable: return commands.end(id).carriedOut + reject(.notSent(appliance), now: now)
    }
  }

  private mutating func take(_ answer: CommandDesk.Answer, commandID id: String, now: Timestamp) -> [Action] {
    // Its outcome may have been faster.
    guard let appliance = commands.appliance(of: id) else { return [] }
    switch answer {
    case .accepted(let command):
      commands.accepted(command, now: now)
      return []
    case .failed(let failure):
      switch failure.code {
      case .applianceOffline:
        commands.refused(failure, now: now)
        return []
      case .notPermitted, .invalidCommand: return countMistake(now: now) ?? commands.fail(failure, now: now).carriedOut
      case .timeout, .rejected, .superseded, .tooManyCommands: return commands.fail(failure, now: now).carriedOut
      }
    case .unavailable: return commands.end(id).carriedOut + reject(.unknownWhetherSent(appliance), now: now)
    }
  }

  private mutating func settle(_ id: String, by events: [Event]) -> [Action] {
    events.contains { $0.type == .commandAcknowledged || $0.type == .commandFailed } ? commands.end(id).carriedOut : []
  }

  // MARK: Changes of access

  private func isConcerned(_ principal: Principal, by change: AccessChange) -> Bool {
    switch change {
    case .everything: true
    case .user(let id), .token(_, ofUser: let id): id == principal.subject
    case .appliance(let appliance): subscriptions.contains(appliance)
    case .sensors: false
    }
  }

  private mutating func recheck() -> [Action] {
    visit.mustBeRechecked()
    return recheckIfDue()
  }

  private mutating func recheckIfDue() -> [Action] {
    visit.recheckIfDue().map { [.recheck($0, subscriptions.appliances)] } ?? []
  }

  private mutating func take(_ answer: AccessGate.Recheck?, now: Timestamp) -> [Action] {
    switch visit.rechecked(answer) {
    // Asked again at the next tick: the directory is given that time.
    case .unanswered: return []
    case .ended(let end): return close(end)
    case .stays(let lost):
      return recheckIfDue()
        + lost.filter { subscriptions.contains($0) }.flatMap {
          subscriptions.end($0, now: now) + [.send(.error(.notFound($0), now))]
        }
    }
  }
}

extension [OpenCommands.Action] {
  /// As this session does it.
  fileprivate var carriedOut: [EpicuraSessionStateMachine.Action] {
    map {
      switch $0 {
      case .listen(let appliance, let id): .listen(appliance, commandID: id)
      case .unlisten(let appliance, let id): .unlisten(appliance, commandID: id)
      case .request(let command, let permission, let userID): .request(command, permission, userID: userID)
      case .readOutcome(let appliance, let id, let last): .readOutcome(appliance, commandID: id, through: last)
      case .tell(let event): .sendEvent(event)
      case .expire(let command): .expire(command)
      }
    }
  }
}

extension EpicuraRejection {
  fileprivate init(_ error: RenewalError) {
    self.init(error == .unavailable ? .temporarilyUnavailable : .authenticationFailed, error.text)
  }

  fileprivate static func notFound(_ appliance: ApplianceID) -> Self {
    Self(.applianceNotFound, "There is no such appliance among yours", appliance)
  }

  fileprivate static func unavailable(_ appliance: ApplianceID) -> Self {
    Self(.temporarilyUnavailable, "The appliance cannot be looked up now; subscribe again in a moment", appliance)
  }

  fileprivate static func notSent(_ appliance: ApplianceID) -> Self {
    Self(.temporarilyUnavailable, "The command was not sent, because a database did not answer; send it again in a moment", appliance)
  }

  fileprivate static func unknownWhetherSent(_ appliance: ApplianceID) -> Self {
    Self(
      .temporarilyUnavailable, "The event log did not answer in time, so whether the command is sent is unknown; look at the appliance",
      appliance)
  }
}
