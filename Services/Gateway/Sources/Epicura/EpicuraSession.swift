internal import Access
internal import EventLog
internal import Models
internal import NIOCore
internal import WebSocketTransport

/// One app's connection: carries out what `EpicuraSessionStateMachine` decides. Confined to its event loop.
final class EpicuraSession: WebSocketSession, HubSession {
  /// What every session of the process works with.
  struct Neighbours: Sendable {
    let gate: AccessGate
    let log: any EventLog
    /// For questions to `gate`. Apart from those to the log, so that a database that hangs holds up nothing but its own.
    let accessJobs: JobQueue
    let logJobs: JobQueue
    let limits: EpicuraSessionStateMachine.Limits
  }

  var hubSlot = -1
  private let connection: WebSocketConnection
  private let hub: LoopHub
  private let neighbours: Neighbours
  private let subscriber: Subscriber
  private var machine: EpicuraSessionStateMachine

  init(_ connection: WebSocketConnection, hub: LoopHub, token: String?, neighbours: Neighbours) {
    self.connection = connection
    self.hub = hub
    self.neighbours = neighbours
    subscriber = Subscriber(connection, hub: hub)
    machine = EpicuraSessionStateMachine(limits: neighbours.limits, now: .now())
    subscriber.session = self
    hub.add(self)
    ask(\.accessJobs, orElse: .admission(.unavailable)) { .admission(await $0.gate.admit(token)) }
  }

  // MARK: Input

  func received(_ text: [UInt8]) { handle(.frame(text)) }

  func becameWritable() {
    subscriber.becameWritable()
    if subscriber.isFlowing { handle(.drained) }
  }

  func topicBecameLive(_ appliance: ApplianceID, position: EventID) { handle(.live(appliance, position: position)) }
  func tick() { handle(.tick) }
  func accessChanged() { handle(.accessChanged) }

  func closed(_ code: WebSocketCloseCode) {
    subscriber.leaveAll()
    hub.remove(self)
  }

  private func handle(_ input: EpicuraSessionStateMachine.Input) {
    guard connection.isOpen else { return }
    for action in machine.handle(input, now: .now()) { perform(action) }
  }

  // MARK: Actions

  private func perform(_ action: EpicuraSessionStateMachine.Action) {
    switch action {
    case .send(let message):
      if case .subscribed(_, _, _, let recovered?) = message { count(recovered) }
      subscriber.reply(message.encoded())
    case .sendEvent(let event): subscriber.reply(event.encoded())
    case .askWhetherMayWatch(let principal, let appliance, let attempt):
      ask(\.accessJobs, orElse: .watch(appliance, attempt: attempt, .unavailable)) {
        .watch(appliance, attempt: attempt, await $0.gate.permission(of: principal, on: appliance))
      }
    case .join(let appliance):
      if let position = subscriber.join(appliance) { handle(.live(appliance, position: position)) }
    case .readLog(let appliance, let attempt, let since):
      ask(\.logJobs, orElse: .log(appliance, attempt: attempt, nil)) {
        .log(appliance, attempt: attempt, try? await LogReading.read(appliance, since: since, in: $0.log))
      }
    case .deliver(let appliance, let recovery):
      handle(.delivered(appliance, subscriber.deliver(recovery, of: appliance)))
      if subscriber.isFlowing { handle(.drained) }
    case .leave(let appliance): subscriber.leave(appliance)
    case .recheck(let principal, let appliances):
      ask(\.accessJobs, orElse: .rechecked(nil)) { .rechecked(await $0.gate.recheck(principal, appliances)) }
    case .close(let code, let reason): connection.close(code, reason: reason)
    case .closeAsSlow: subscriber.closeAsSlow()
    }
  }

  private func count(_ recovered: Bool) {
    hub.counters.recoveries += 1
    if !recovered { hub.counters.incompleteRecoveries += 1 }
  }

  /// Asks a neighbour off the loop and takes the answer in on the loop.
  private func ask(
    _ jobs: KeyPath<Neighbours, JobQueue>, orElse refusal: EpicuraSessionStateMachine.Input,
    _ question: @escaping @Sendable (Neighbours) async -> EpicuraSessionStateMachine.Input
  ) {
    let (here, eventLoop, neighbours) = (NIOLoopBound(self, eventLoop: hub.eventLoop), hub.eventLoop, neighbours)
    let isTaken = neighbours[keyPath: jobs].submit {
      let answer = await question(neighbours)
      eventLoop.execute { here.value.handle(answer) }
    }
    // In a new turn, because the action before this one may still be under way.
    if !isTaken { eventLoop.execute { here.value.handle(refusal) } }
  }
}
