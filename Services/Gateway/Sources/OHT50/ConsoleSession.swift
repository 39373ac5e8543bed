internal import Access
internal import Commands
internal import EventLog
internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// One console's connection: carries out what `ConsoleSessionMachine` decides. Confined to its event loop.
final class ConsoleSession: WebSocketSession, HubSession, SubscriberSession {
  var hubSlot = -1
  private let connection: WebSocketConnection
  private let hub: LoopHub
  private let neighbours: Neighbours
  private let oht50: OHT50Limits
  private let subscriber: Subscriber
  private let audit: ConnectionAudit
  private var machine: ConsoleSessionMachine
  /// The robots whose consoles this one is counted among.
  private var counted: Set<ApplianceID> = []

  init(_ arrival: Arrival, _ oht50: OHT50Limits) {
    (connection, hub, neighbours, self.oht50) = (arrival.connection, arrival.hub, arrival.neighbours, oht50)
    subscriber = Subscriber(connection, hub: hub) { [hub] subscriber, robot in
      hub.audience(of: robot, in: .oht50) { ConsoleAudience($0, hub: hub, eventsPerSecond: oht50.eventsPerSecond) }
        .enter(subscriber, subscriber.session as? ConsoleSession)
    }
    audit = arrival.audit
    machine = ConsoleSessionMachine(.init(arrival), limits: neighbours.limits, roles: neighbours.roles, now: .now())
    subscriber.session = self
    hub.add(self)
    for action in machine.begin() { perform(action) }
  }

  // MARK: Input

  func received(_ text: [UInt8]) { handle(.frame(text)) }

  func becameWritable() {
    subscriber.becameWritable()
    if subscriber.isFlowing { handle(.drained) }
  }

  func topicBecameLive(_ appliance: ApplianceID, position: EventID) { handle(.live(appliance, position: position)) }
  /// What became of a command is told by the machine.
  func commandSettled(_ id: String) {}
  func commandWent(_ id: String, _ event: Event) { handle(.outcome(commandID: id, [event])) }
  func tick() { handle(.tick) }
  func accessChanged(_ change: AccessChange) { handle(.accessChanged(change)) }

  func closed(_ code: WebSocketCloseCode) {
    subscriber.leaveAll()
    for robot in counted { neighbours.consoles.leave(robot) }
    counted = []
    hub.remove(self)
    audit.closed(code)
  }

  private func handle(_ input: ConsoleSessionMachine.Input) {
    note(input)
    guard connection.isOpen else { return }
    if case .answered(_, let answer) = input { hub.counters.count(answer) }
    for action in machine.handle(input, now: .now()) { perform(action) }
  }

  // MARK: Actions

  private func perform(_ action: ConsoleSessionMachine.Action) {
    switch action {
    case .check(let purpose, let token):
      ask(\.access, orElse: .checked(purpose, .unavailable)) { .checked(purpose, await $0.gate.admit(token)) }
    case .look(let principal, let named): ask(\.access, orElse: .view(nil)) { .view(await $0.view(of: principal, named)) }
    case .send(let message):
      if case .subscribed(_, let recovered?) = message { hub.counters.countRecovery(isWhole: recovered) }
      subscriber.reply(message.encoded(at: .now()))
    case .refuse(let refusal):
      audit.refused("\(refusal.code.rawValue) \(refusal.code.name)", of: refusal.applianceID)
      subscriber.reply(OHT50ServerMessage.error(refusal).encoded(at: .now()))
    case .join(let robot, let view): join(robot, view)
    case .show(let robot, let view): show(robot, view)
    case .readLog(let robot, let attempt, let since):
      ask(\.log, orElse: .log(robot, attempt: attempt, nil)) {
        .log(robot, attempt: attempt, try? await LogReading.read(robot, since: since, in: $0.log))
      }
    case .deliver(let robot, let recovery):
      handle(.delivered(robot, subscriber.deliver(recovery, of: robot)))
      if subscriber.isFlowing { handle(.drained) }
    case .leave(let robot): leave(robot)
    case .askStates(let question, let robots):
      ask(\.log, orElse: .states(question, nil)) { .states(question, await $0.states(of: robots)) }
    case .findRobots(let stop, let principal):
      ask(\.stops, orElse: .found(stop, nil)) {
        .found(stop, await $0.gate.appliances(of: .oht50, visibleTo: principal, limit: $0.limits.subscriptionsMax)?.map(\.id))
      }
    case .askPermission(let principal, let robot, let id):
      ask(\.stops, orElse: .grant(robot, commandID: id, .unavailable)) {
        .grant(robot, commandID: id, await $0.gate.permission(of: principal, on: robot))
      }
    case .command(let action): perform(action)
    case .close(let end):
      audit.closes(end.reason)
      connection.close(end.code, reason: end.reason)
    case .closeAsSlow: subscriber.closeAsSlow()
    }
  }

  private func perform(_ action: OpenCommands.Action) {
    switch action {
    case .listen(let robot, let id): handle(.listening(commandID: id, isLive: subscriber.listen(robot, commandID: id)))
    case .unlisten(let robot, let id): subscriber.unlisten(robot, commandID: id)
    case .request(let command, let permission, let userID):
      ask(\.stops, orElse: .answered(commandID: command.id, .unavailable(commandID: command.id))) {
        .answered(commandID: command.id, await $0.request(command, in: .oht50, permission, userID: userID))
      } noting: { [audit] input in
        if case .answered(_, let answer) = input {
          audit.commanded(command.appliance, command.type.rawValue, commandID: command.id, answer)
        }
      }
    case .readOutcome(let robot, let id, let last): readOutcome(robot, id, through: last)
    case .expire(let command): ask(\.commands, orElse: .expired(nil)) { .expired(await $0.expire(command)) }
    case .tell: break
    }
  }

  /// Tells what was missed of a command's life, and then what came meanwhile.
  private func readOutcome(_ robot: ApplianceID, _ id: String, through last: EventID) {
    neighbours.ask(\.stops, on: hub.eventLoop, orElse: []) {
      await $0.events(of: id, robot, through: last)
    } take: {
      self.handle(.outcome(commandID: id, $0))
      self.subscriber.release(robot, commandID: id)
    }
  }

  private func ask(
    _ jobs: KeyPath<Neighbours.Jobs, JobQueue>, orElse refusal: ConsoleSessionMachine.Input,
    _ question: @escaping @Sendable (Neighbours) async -> ConsoleSessionMachine.Input,
    noting: @escaping (ConsoleSessionMachine.Input) -> Void = { _ in }
  ) {
    neighbours.ask(jobs, on: hub.eventLoop, orElse: refusal, question) {
      noting($0)
      self.handle($0)
    }
  }

  /// What the audit log is to tell of an answer.
  private func note(_ input: ConsoleSessionMachine.Input) {
    switch input {
    case .checked(.entry, let admission): audit.checked(admission, as: .user)
    case .checked(.renewal, let admission): audit.renewed(admission)
    case .found(_, let robots?) where robots.isEmpty:
      audit.commanded(nil, EventType.emergencyStop.rawValue, commandID: nil, .refused, "no robots")
    case .grant(let robot, let id, .refused):
      audit.commanded(robot, EventType.emergencyStop.rawValue, commandID: id, .refused, "no such robot")
    default: break
    }
  }

  // MARK: Robots

  private func join(_ robot: ApplianceID, _ view: ConsoleView) {
    if !counted.contains(robot) {
      guard neighbours.consoles.enter(robot, limit: oht50.consolesMax) else {
        return handle(.full(robot, consolesMax: oht50.consolesMax))
      }
      counted.insert(robot)
    }
    audit.subscribed(to: robot)
    // Which events come of it is the view's to say.
    let position = subscriber.join(robot, as: .watch)
    show(robot, view)
    if let position { handle(.live(robot, position: position)) }
  }

  private func show(_ robot: ApplianceID, _ view: ConsoleView?) {
    (subscriber.membership(of: robot) as? ConsoleMembership)?.show(view)
  }

  private func leave(_ robot: ApplianceID) {
    audit.unsubscribed(from: robot)
    show(robot, nil)
    subscriber.leave(robot)
    if counted.remove(robot) != nil { neighbours.consoles.leave(robot) }
  }
}

extension ConsoleSessionMachine.Hello {
  /// What the URL says (the document, section 1.3). What is wrong in it is told and left out.
  init(_ arrival: Arrival) {
    token = arrival.token
    let request = arrival.request
    if let name = request.query("client_id"), !name.isEmpty {
      if name.utf8.count <= Self.clientIDLengthMax_bytes { clientID = name } else { refusals.append(.clientIDTooLong) }
    }
    do throws(OHT50Refusal) {
      if let name = request.query("appliance_id") { robot = try Self.robot(name) }
      subscription = try OHT50Subscription(queryValues: request.queryValues("subscription"), applianceID: robot)
    } catch {
      refusals.append(error)
    }
  }

  private static func robot(_ name: String) throws(OHT50Refusal) -> ApplianceID {
    do { return try ApplianceID(name) } catch { throw OHT50Refusal(code: .invalidEventType, description: error.description) }
  }
}

extension Neighbours {
  fileprivate func view(of principal: Principal, _ named: [ApplianceID]) async -> ConsoleSessionMachine.View? {
    guard let recheck = await gate.recheck(principal, named) else { return nil }
    if let refusal = recheck.refusal { return .init(refusal: refusal) }
    let asked = Set(named)
    return await gate.appliances(of: .oht50, visibleTo: principal, limit: limits.subscriptionsMax).map { robots in
      let roles = recheck.permissions.merging(robots.map { ($0.id, $0.permission) }) { $1 }
      return .init(robots: robots.map(\.id), asked: asked, named: asked.subtracting(recheck.lost), roles: roles)
    }
  }

  /// Nil when the log could not be asked.
  fileprivate func states(of robots: [ApplianceID]) async -> [ConsoleSessionMachine.RobotState]? {
    var states: [ConsoleSessionMachine.RobotState] = []
    for robot in robots {
      guard let events = try? await log.state(of: robot) else { return nil }
      let newest = { (type: OHT50EventType) in events.last { $0.type == type.eventType } }
      states.append(
        .init(robot: robot, systemStatus: newest(.systemStatus), telemetry: newest(.telemetryRealtime), consoles: consoles.count(of: robot))
      )
    }
    return states
  }
}
