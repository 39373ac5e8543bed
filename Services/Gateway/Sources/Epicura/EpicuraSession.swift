internal import Access
internal import Commands
internal import EventLog
internal import Models
internal import NIOCore
internal import WebSocketTransport

/// One app's connection: carries out what `EpicuraSessionStateMachine` decides. Confined to its event loop.
final class EpicuraSession: WebSocketSession, HubSession, SubscriberSession {
  var hubSlot = -1
  private let connection: WebSocketConnection
  private let hub: LoopHub
  private let neighbours: Neighbours
  private let subscriber: Subscriber
  private let audit: ConnectionAudit
  private var machine: EpicuraSessionStateMachine
  /// What the user may do with the appliances that they are subscribed to: which events they get depends on it.
  private var roles: [ApplianceID: Permission] = [:]

  init(_ arrival: Arrival) {
    (connection, hub, neighbours) = (arrival.connection, arrival.hub, arrival.neighbours)
    subscriber = Subscriber(connection, hub: hub) { [hub] subscriber, appliance in
      hub.audience(of: appliance, in: .epicura) { EventAudience($0, hub: hub) }.enter(subscriber)
    }
    audit = arrival.audit
    machine = EpicuraSessionStateMachine(limits: neighbours.limits, now: .now())
    subscriber.session = self
    hub.add(self)
    let token = arrival.token
    ask(\.access, orElse: .admission(.unavailable)) { .admission(await $0.gate.admit(token)) }
  }

  // MARK: Input

  func received(_ text: [UInt8]) { handle(.frame(text)) }

  func becameWritable() {
    subscriber.becameWritable()
    if subscriber.isFlowing { handle(.drained) }
  }

  func topicBecameLive(_ appliance: ApplianceID, position: EventID) { handle(.live(appliance, position: position)) }
  func commandSettled(_ id: String) { handle(.settled(commandID: id)) }
  func tick() { handle(.tick) }
  func accessChanged(_ change: AccessChange) { handle(.accessChanged(change)) }

  func closed(_ code: WebSocketCloseCode) {
    subscriber.leaveAll()
    hub.remove(self)
    audit.closed(code)
  }

  private func handle(_ input: EpicuraSessionStateMachine.Input) {
    tellAudit(input)
    guard connection.isOpen else { return }
    note(input)
    for action in machine.handle(input, now: .now()) { perform(action) }
  }

  private func note(_ input: EpicuraSessionStateMachine.Input) {
    switch input {
    case .answered(_, let answer): hub.counters.count(answer)
    case .grant(let appliance, .subscription, .granted(let role)): roles[appliance] = role
    case .rechecked(let recheck?):
      for (appliance, role) in recheck.permissions where roles[appliance] != nil {
        roles[appliance] = role
        subscriber.permit(appliance, role)
      }
    default: break
    }
  }

  private func role(on appliance: ApplianceID) -> Permission { roles[appliance] ?? .watch }

  // MARK: Actions

  private func perform(_ action: EpicuraSessionStateMachine.Action) {
    switch action {
    case .send(let message):
      if case .subscribed(_, _, _, let recovered?) = message { hub.counters.countRecovery(isWhole: recovered) }
      subscriber.reply(message.encoded())
    case .sendEvent(let event): subscriber.reply(event.encoded())
    case .tellMissed(let event): subscriber.tellMissed(event)
    case .askPermission(let principal, let appliance, let purpose):
      ask(jobs(for: purpose), orElse: .grant(appliance, purpose, .unavailable)) {
        .grant(appliance, purpose, await $0.gate.permission(of: principal, on: appliance))
      }
    case .join(let appliance):
      if let position = subscriber.join(appliance, as: role(on: appliance)) { handle(.live(appliance, position: position)) }
    case .readLog(let appliance, let attempt, let since):
      let role = role(on: appliance)
      ask(\.log, orElse: .log(appliance, attempt: attempt, nil)) {
        let reading = try? await LogReading.read(appliance, since: since, in: $0.log)
        return .log(appliance, attempt: attempt, reading?.permitted(to: role, by: $0.roles))
      }
    case .deliver(let appliance, let recovery):
      handle(.delivered(appliance, subscriber.deliver(recovery, of: appliance)))
      if subscriber.isFlowing { handle(.drained) }
    case .leave(let appliance):
      audit.unsubscribed(from: appliance)
      roles[appliance] = nil
      subscriber.leave(appliance)
    case .recheck(let principal, let appliances):
      ask(\.access, orElse: .rechecked(nil)) { .rechecked(await $0.gate.recheck(principal, appliances)) }
    case .renew(let token): ask(\.access, orElse: .renewal(.unavailable)) { .renewal(await $0.gate.admit(token)) }
    case .listen(let appliance, let id): handle(.listening(commandID: id, isLive: subscriber.listen(appliance, commandID: id)))
    case .unlisten(let appliance, let id): subscriber.unlisten(appliance, commandID: id)
    case .request(let command, let permission, let userID): request(command, permission, userID)
    case .readOutcome(let appliance, let id, let last): readOutcome(appliance, id, through: last)
    case .expire(let command):
      ask(\.commands, orElse: .expired(nil)) { .expired(await $0.expire(command)) }
    case .close(let code, let reason):
      audit.closes(reason)
      connection.close(code, reason: reason)
    case .closeAsSlow: subscriber.closeAsSlow()
    }
  }

  // MARK: Commands

  private func jobs(for purpose: EpicuraSessionStateMachine.Purpose) -> KeyPath<Neighbours.Jobs, JobQueue> {
    switch purpose {
    case .subscription: \.access
    case .command(_, let isUrgent): isUrgent ? \.stops : \.commands
    }
  }

  private func request(_ command: PendingCommand, _ permission: Permission, _ userID: String) {
    // Any but a stop goes when the appliance is heard: nothing can be missed.
    if !command.isUrgent { subscriber.release(command.appliance, commandID: command.id) }
    let purpose = EpicuraSessionStateMachine.Purpose.command(id: command.id, isUrgent: command.isUrgent)
    ask(jobs(for: purpose), orElse: .grant(command.appliance, purpose, .unavailable)) {
      .answered(commandID: command.id, await $0.request(command, in: .epicura, permission, userID: userID))
    } noting: { [audit] input in
      if case .answered(_, let answer) = input {
        audit.commanded(command.appliance, command.type.rawValue, commandID: command.id, answer)
      }
    }
  }

  /// Tells what was missed of a command's life, and then what came meanwhile.
  private func readOutcome(_ appliance: ApplianceID, _ id: String, through last: EventID) {
    neighbours.ask(\.stops, on: hub.eventLoop, orElse: []) {
      await $0.events(of: id, appliance, through: last)
    } take: {
      self.handle(.outcome(commandID: id, $0))
      self.subscriber.release(appliance, commandID: id)
    }
  }

  /// What the audit log is to tell of an answer.
  private func tellAudit(_ input: EpicuraSessionStateMachine.Input) {
    switch input {
    case .admission(let admission): audit.checked(admission, as: .user)
    case .renewal(let admission): audit.renewed(admission)
    case .grant(let appliance, .subscription, .granted): audit.subscribed(to: appliance)
    case .grant(let appliance, .subscription, .refused): audit.subscribed(to: appliance, .refused)
    case .grant(let appliance, .command(let id, _), .refused):
      audit.commanded(appliance, "a command", commandID: id, .refused, "no such appliance")
    default: break
    }
  }

  private func ask(
    _ jobs: KeyPath<Neighbours.Jobs, JobQueue>, orElse refusal: EpicuraSessionStateMachine.Input,
    _ question: @escaping @Sendable (Neighbours) async -> EpicuraSessionStateMachine.Input,
    noting: @escaping (EpicuraSessionStateMachine.Input) -> Void = { _ in }
  ) {
    neighbours.ask(jobs, on: hub.eventLoop, orElse: refusal, question) {
      noting($0)
      self.handle($0)
    }
  }
}
