internal import Access
internal import Commands
internal import Models

/// What one console's connection does (the OHT-50 document; SPEC, sections 2 to 4): input in, actions out. Pure.
///
/// It watches the robots that its user may see. What it says before it is known which those are waits; a stop never does.
struct ConsoleSessionMachine {
  private enum Door {
    /// A token is being checked, or whether one is needed at all.
    case checking
    /// The client has brought no token yet.
    case waiting
    case open
  }

  private let limits: SessionLimits
  private let table: RoleTable
  private let hello: Hello
  private let begun: Timestamp
  private var door = Door.checking
  private var visit: Visit
  private var view: View?
  private var interests = ConsoleInterests()
  private var robots = ConsoleRobots()
  /// Messages that wait until it is known what the user may see, in their order; nil where none has to.
  private var early: [[UInt8]]? = []
  private var waitsSince: Timestamp
  /// What the first of them asks for by name.
  private var wanted: ApplianceID?
  private var messages = TokenBucket(burst: 50, perSecond: 20)
  private var stops: ConsoleStops

  init(
    _ hello: Hello, limits: SessionLimits, roles: RoleTable = .standard, now: Timestamp,
    makeCommandID: @escaping () -> String = CommandDesk.randomID
  ) {
    table = roles
    (self.hello, self.limits, begun, waitsSince) = (hello, limits, now, now)
    visit = Visit(limits: limits, now: now)
    stops = ConsoleStops(limits: limits, makeCommandID: makeCommandID)
    wanted = hello.robot
  }

  /// What is done first. Where no token came with the request, it may be that none is needed.
  func begin() -> [Action] { [.check(.entry, token: hello.token)] }

  mutating func handle(_ input: Input, now: Timestamp) -> [Action] {
    switch input {
    case .checked(.entry, let admission): return enter(admission, now: now)
    case .frame(let frame): return take(frame, now: now)
    case .tick: return tick(now: now)
    case .accessChanged(let change): return changed(change)
    default: return visit.principal.map { handle(input, of: $0, now: now) } ?? []
    }
  }

  private mutating func handle(_ input: Input, of principal: Principal, now: Timestamp) -> [Action] {
    switch input {
    case .checked(.renewal, let admission): return renew(by: admission, now: now)
    case .view(let view): return take(view, now: now)
    case .live(let robot, let position):
      return robots.becameLive(robot, position: position)
        + carry(stops.becameLive(robot, position: position, userID: principal.subject, now: now), principal, now: now)
    case .full(let robot, let consolesMax): return robots.isFull(robot) + [.refuse(.full(robot, consolesMax))]
    case .log(let robot, let attempt, let reading): return robots.read(reading, robot, attempt: attempt)
    case .delivered(let robot, let delivery):
      robots.delivered(robot, delivery)
      return []
    case .drained: return robots.drained()
    case .states(let question, let states): return answer(question, states, now: now)
    case .found(let stop, let robots):
      return robots.map { begin(stop, $0, principal, now: now) } ?? [
        .send(.commandAck(StopOrders.Refusal.notAsked.ack(to: stop.requestID)))
      ]
    case .grant(let robot, let id, let grant):
      return carry(stops.take(grant, robot, id, userID: principal.subject, now: now), principal, now: now)
    case .listening(let id, let isLive):
      return isLive ? carry(stops.heard(id, userID: principal.subject, now: now), principal, now: now) : []
    case .answered(let id, let answer): return carry(stops.take(answer, id, now: now), principal, now: now)
    case .outcome(let id, let events): return carry(stops.went(id, events), principal, now: now)
    case .expired(let failure): return failure.map { carry(stops.expired($0, now: now), principal, now: now) } ?? []
    case .checked(.entry, _), .frame, .tick, .accessChanged: return []
    }
  }

  // MARK: Coming in

  private mutating func enter(_ admission: AccessGate.Admission, now: Timestamp) -> [Action] {
    guard door == .checking else { return [] }
    if admission == .refused(.authenticationRequired), hello.token == nil {
      door = .waiting
      guard let first = early?.first else { return [] }
      early?.removeFirst()
      return takeToken(first, now: now)
    }
    switch visit.admit(admission) {
    case .entered(let principal, _):
      door = .open
      waitsSince = now
      let authenticated = Action.send(.authenticated(expiresAt: principal.expiresAt, clientID: hello.clientID))
      return [authenticated] + hello.refusals.map(Action.refuse) + takeStops(now: now) + look()
    case .ended(let end): return close(end)
    case nil: return []
    }
  }

  /// The first word of a client that came without a token is its token.
  private mutating func takeToken(_ frame: [UInt8], now: Timestamp) -> [Action] {
    guard case .auth(let token) = try? OHT50ClientMessage(parsing: frame) else {
      return close(visit.end(.refused(.authenticationRequired)))
    }
    door = .checking
    visit = Visit(limits: limits, now: now)
    return [.check(.entry, token: token)]
  }

  /// Ends the connection; where it is for the token, after the document's error.
  private func close(_ end: Visit.End) -> [Action] {
    guard AccessError.allCases.contains(where: { $0.text == end.reason }) else { return [.close(end)] }
    return [.send(.error(OHT50Refusal(code: .authenticationFailed, description: end.reason))), .close(end)]
  }

  private mutating func tick(now: Timestamp) -> [Action] {
    if door == .waiting {
      return now - begun > limits.answerTimeout ? close(visit.end(.refused(.authenticationRequired))) : []
    }
    var actions: [Action] = []
    switch visit.tick(now: now) {
    case .ended(let end): return close(end)
    case .expiring(let end): actions.append(.send(.tokenExpiring(expiresAt: end)))
    case nil: break
    }
    guard let principal = visit.principal else { return actions }
    actions += carry(stops.tick(now: now), principal, now: now)
    return actions + robots.tick(now: now) + giveUpIfLate(now: now) + lookIfDue()
  }

  // MARK: Token

  private mutating func beginRenewal(_ token: String, now: Timestamp) -> [Action] {
    do {
      try visit.beginRenewal()
      return [.check(.renewal, token: token)]
    } catch {
      return refuse(error, now: now)
    }
  }

  private mutating func renew(by admission: AccessGate.Admission, now: Timestamp) -> [Action] {
    do {
      guard let principal = try visit.renew(admission) else { return [] }
      // The other token may bring another role.
      return [.send(.authenticated(expiresAt: principal.expiresAt, clientID: hello.clientID))] + look()
    } catch {
      return refuse(error, now: now)
    }
  }

  private mutating func refuse(_ error: RenewalError, now: Timestamp) -> [Action] {
    let told = [Action.send(.error(OHT50Refusal(code: .authenticationFailed, description: error.text)))]
    return error == .unavailable ? told : countMistake(now: now) ?? told
  }

  // MARK: What the user may see

  private mutating func look() -> [Action] {
    visit.mustBeRechecked()
    return lookIfDue()
  }

  private mutating func lookIfDue() -> [Action] {
    visit.recheckIfDue().map { [.look($0, interests.named.union([wanted].compactMap(\.self)).sorted())] } ?? []
  }

  private mutating func changed(_ change: AccessChange) -> [Action] {
    switch change {
    // Any appliance may be one that the user may see from now on.
    case .everything, .appliance: return look()
    case .user(let id), .token(_, ofUser: let id): return visit.principal.map { $0.subject == id } ?? true ? look() : []
    case .sensors: return []
    }
  }

  private mutating func take(_ answer: View?, now: Timestamp) -> [Action] {
    switch visit.rechecked(answer.map { AccessGate.Recheck(refusal: $0.refusal) }) {
    // Asked again at the next tick.
    case .unanswered: return []
    case .ended(let end): return close(end)
    case .stays: break
    }
    guard let answer else { return [] }
    let isFirst = view == nil
    let lost = view.map { before in interests.named.filter { before.mayBeSeen($0) && !answer.mayBeSeen($0) } } ?? []
    view = answer
    var actions = watch() + lost.sorted().map { .send(.error(.unknownRobot($0))) }
    if isFirst, let subscription = hello.subscription { actions += subscribe(subscription, now: now) }
    return actions + lookIfDue() + takeEarly(now: now)
  }

  /// Takes the messages that waited, up to one that must wait on.
  private mutating func takeEarly(now: Timestamp) -> [Action] {
    guard let waiting = early, wanted.map({ view?.isKnown($0) ?? false }) ?? true else { return [] }
    (early, wanted) = (nil, nil)
    return waiting.flatMap { perform($0, now: now) }
  }

  /// The directory has not answered in time.
  private mutating func giveUpIfLate(now: Timestamp) -> [Action] {
    guard early != nil, now - waitsSince > limits.answerTimeout else { return [] }
    guard view != nil else { return close(visit.end(.tokenCannotBeChecked)) }
    (early, wanted) = (nil, nil)
    return [.send(.error(.unavailable))]
  }

  private mutating func watch() -> [Action] {
    guard let view else { return [] }
    var seen = interests.named.filter(view.mayBeSeen)
    if interests.isGeneral { seen.formUnion(view.robots) }
    let views = seen.sorted().prefix(limits.subscriptionsMax).map { ($0, interests.view(of: $0, permitted: permitted(of: $0))) }
    return robots.watch(Dictionary(uniqueKeysWithValues: views.filter { !$0.1.isEmpty }))
  }

  /// The types that the user's role gets of a robot.
  private func permitted(of robot: ApplianceID) -> RoleTable.Patterns {
    table.line(.oht50, view?.roles[robot] ?? .watch, .events) ?? .everything
  }

  // MARK: Messages

  private mutating func take(_ frame: [UInt8], now: Timestamp) -> [Action] {
    switch door {
    case .waiting: return takeToken(frame, now: now)
    case .checking: return keep(frame)
    case .open: break
    }
    if case .emergencyStop(let robot, let reason, let requestID) = try? OHT50ClientMessage(parsing: frame) {
      return stop(PendingStop(reason: reason, requestID: requestID), robot, now: now)
    }
    guard messages.spend(at: now) else { return reject(.tooManyEvents, now: now) }
    return early == nil ? perform(frame, now: now) : keep(frame)
  }

  private mutating func keep(_ frame: [UInt8]) -> [Action] {
    guard early?.count ?? 0 < limits.earlyFramesMax else {
      return close(visit.end(.broken("Too many messages before the token was checked")))
    }
    early = (early ?? []) + [frame]
    return []
  }

  private mutating func perform(_ frame: [UInt8], now: Timestamp) -> [Action] {
    // Behind one that waits.
    guard early == nil else { return keep(frame) }
    do throws(OHT50Refusal) {
      let message = try OHT50ClientMessage(parsing: frame)
      if let robot = message.robot(unlessNamed: hello.robot), let view, !view.isKnown(robot) {
        (early, wanted, waitsSince) = ([frame], robot, now)
        return look()
      }
      return try perform(message, now: now)
    } catch {
      return reject(error, now: now)
    }
  }

  private mutating func perform(_ message: OHT50ClientMessage, now: Timestamp) throws(OHT50Refusal) -> [Action] {
    switch message {
    case .auth(let token): return beginRenewal(token, now: now)
    case .subscribe(let subscription): return subscribe(subscription, now: now)
    case .unsubscribe(let patterns, let robot):
      interests.unsubscribe(patterns, from: robot ?? hello.robot)
      return watch() + [.send(.unsubscribed(patterns, robot))]
    case .setTelemetryRate(let rate_hz):
      interests.setTelemetryRate(rate_hz)
      return watch() + [.askStates(.telemetryStatus, robots.watched)]
    case .getSystemStatus(let robot, let requestID):
      return [.askStates(.systemStatus(requestID: requestID), try seen(robot ?? hello.robot))]
    case .emergencyStop(let robot, let reason, let requestID):
      return stop(PendingStop(reason: reason, requestID: requestID), robot, now: now)
    case .ping: return [.send(.pong)]
    }
  }

  /// The robots that a question is about: the one that is named, those that are watched, or all.
  private func seen(_ robot: ApplianceID?) throws(OHT50Refusal) -> [ApplianceID] {
    guard let robot else { return robots.watched.isEmpty ? view?.robots ?? [] : robots.watched }
    guard view?.mayBeSeen(robot) ?? false else { throw .unknownRobot(robot) }
    return [robot]
  }

  private mutating func subscribe(_ subscription: OHT50Subscription, now: Timestamp) -> [Action] {
    var subscription = subscription
    subscription.applianceID = subscription.applianceID ?? hello.robot
    do throws(OHT50Refusal) {
      let concerned: Set<ApplianceID>
      if let robot = subscription.applianceID { concerned = Set(try seen(robot)) } else { concerned = Set(view?.robots ?? []) }
      let barred = subscription.patterns.filter { isBarred($0, of: concerned) }
      let told = barred.flatMap { reject(.notPermitted($0), now: now) }
      subscription.patterns.removeAll(where: barred.contains)
      guard !subscription.patterns.isEmpty else { return told }
      try interests.subscribe(subscription)
      return told + watch() + robots.confirm(subscription, of: concerned, now: now)
    } catch {
      return reject(error, now: now)
    }
  }

  /// Whether the user's role gets nothing that the pattern matches, of none of the robots.
  private func isBarred(_ pattern: OHT50Pattern, of robots: Set<ApplianceID>) -> Bool {
    let types = OHT50EventType.allCases.map(\.eventType).filter(pattern.matches)
    return !robots.isEmpty
      && robots.allSatisfy { robot in
        let permitted = permitted(of: robot)
        return !types.contains { permitted.permits($0.rawValue) }
      }
  }

  private func answer(_ question: StateQuestion, _ states: [RobotState]?, now: Timestamp) -> [Action] {
    guard let states else { return [.send(.error(.unavailable))] }
    switch question {
    case .systemStatus(let requestID):
      guard !states.isEmpty else { return [.send(.error(.noRobots))] }
      return states.map { state in
        guard permitted(of: state.robot).permits(OHT50EventType.systemStatus.rawValue) else { return .send(.error(.noStatus(state.robot))) }
        return state.systemStatus.map { .send(.systemStatus($0, requestID: requestID)) } ?? .send(.error(.noStatus(state.robot)))
      }
    case .telemetryStatus:
      let idle = OHT50TelemetryStatus(
        isStreaming: false, rate_hz: interests.view(of: nil, permitted: .everything).telemetryRate, connectedClients: 0, lastUpdate: nil)
      guard !states.isEmpty else { return [.send(.telemetryStatus(idle, nil))] }
      return states.map { .send(.telemetryStatus($0.telemetryStatus(robots.view(of: $0.robot), now: now), $0.robot)) }
    }
  }

  private mutating func reject(_ refusal: OHT50Refusal, now: Timestamp) -> [Action] { countMistake(now: now) ?? [.refuse(refusal)] }

  /// Nil while there are not too many.
  private mutating func countMistake(now: Timestamp) -> [Action]? { visit.countMistake(now: now).map { close($0) } }

  // MARK: Stops

  /// Those among the messages that wait: a stop waits for nothing.
  private mutating func takeStops(now: Timestamp) -> [Action] {
    let waiting = early ?? []
    early = []
    return waiting.flatMap { frame -> [Action] in
      guard case .emergencyStop(let robot, let reason, let requestID) = try? OHT50ClientMessage(parsing: frame) else { return keep(frame) }
      return stop(PendingStop(reason: reason, requestID: requestID), robot, now: now)
    }
  }

  /// For the robot that is named, else for those that are watched, else for all: unclear never means not stopped.
  private mutating func stop(_ stop: PendingStop, _ robot: ApplianceID?, now: Timestamp) -> [Action] {
    guard let principal = visit.principal else { return [] }
    let meant = robot.map { [$0] } ?? (robots.watched.isEmpty ? view?.robots ?? [] : robots.watched)
    return meant.isEmpty ? [.findRobots(stop, principal)] : begin(stop, meant, principal, now: now)
  }

  private mutating func begin(_ stop: PendingStop, _ robots: [ApplianceID], _ principal: Principal, now: Timestamp) -> [Action] {
    carry(stops.begin(robots, requestID: stop.requestID, data: stop.data(from: hello.clientID), now: now), principal, now: now)
  }

  private mutating func carry(_ steps: [ConsoleStops.Step], _ principal: Principal, now: Timestamp) -> [Action] {
    steps.flatMap { step -> [Action] in
      switch step {
      case .command(let action): [.command(action)]
      case .askPermission(let robot, let id): [.askPermission(principal, robot, commandID: id)]
      case .tell(let ack): [.send(.commandAck(ack))]
      case .refuse(let why):
        countMistake(now: now) ?? [.send(.error(OHT50Refusal(code: .invalidEventType, description: why.message)))]
      }
    }
  }
}
