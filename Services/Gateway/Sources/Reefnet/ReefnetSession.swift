internal import Access
internal import Backoff
internal import Commands
internal import EventLog
internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// One connection on `/ws/reefnet`, a module's or a UI's: carries out what `ReefnetSessionMachine` decides. Confined to its event loop.
final class ReefnetSession: WebSocketSession, HubSession {
  var hubSlot = -1
  private let connection: WebSocketConnection
  private let hub: LoopHub
  private let neighbours: Neighbours
  private let lines: ReefnetLines
  private var ownLines = ReefnetLines.ofOneConnection
  private let outlet: Outlet
  private let modules: ModuleDesk
  private let audit: ConnectionAudit
  private var machine: ReefnetSessionMachine
  private var members: [ApplianceID: ReefnetMember] = [:]
  /// What a UI's user may do with the modules: which events they get depends on it.
  private var roles: [ApplianceID: Permission] = [:]
  /// The module that this connection is, once it is known.
  private var module: ApplianceID?

  init(_ arrival: Arrival, devices: Devices, board: PresenceBoard, lines: ReefnetLines) {
    (connection, hub, neighbours, self.lines) = (arrival.connection, arrival.hub, arrival.neighbours, lines)
    outlet = Outlet(connection, hub: hub)
    modules = ModuleDesk(gate: neighbours.gate, devices: devices, board: board, log: neighbours.log, roles: neighbours.roles)
    audit = arrival.audit
    machine = ReefnetSessionMachine(
      token: arrival.token, moduleID: arrival.request.query("module_id"), limits: neighbours.limits, now: .now())
    hub.add(self)
    for action in machine.begin() { perform(action) }
  }

  // MARK: Input

  func received(_ text: [UInt8]) { handle(.frame(text)) }
  func becameWritable() { outlet.becameWritable() }
  func tick() { handle(.tick) }
  func accessChanged(_ change: AccessChange) { handle(.accessChanged(change)) }
  func becameLive(_ appliance: ApplianceID) { handle(.live(appliance)) }
  func take(_ commands: [Command]) { handle(.commands(commands)) }

  func told(_ event: Event, commandID: String) {
    if machine.waits(forCommand: commandID) { handle(.told(event, commandID: commandID)) }
  }

  func closed(_ code: WebSocketCloseCode) {
    for member in members.values { member.audience.remove(member) }
    members = [:]
    outlet.forgetWaiting()
    hub.remove(self)
    audit.closed(code)
    guard let module else { return }
    let modules = modules
    // What is not told here, the silence of the module tells.
    _ = neighbours.jobs.access.submit { await modules.detach(module) }
  }

  private func handle(_ input: ReefnetSessionMachine.Input) {
    switch input {
    case .checked(.entry, let holder, let admission):
      audit.checked(admission, as: holder == .user ? .user : .device, name: machine.claimedModuleID)
    case .checked(.renewal, _, let admission): audit.renewed(admission)
    default: break
    }
    guard connection.isOpen else { return }
    if case .view(let recheck?, _) = input {
      roles = recheck.permissions
      for (module, member) in members { member.role = roles[module] ?? .watch }
    }
    for action in machine.handle(input, now: .now()) { perform(action) }
  }

  // MARK: Actions

  private func perform(_ action: ReefnetSessionMachine.Action) {
    let modules = modules
    switch action {
    case .check(let purpose, let credential):
      ask(\.access, orElse: .checked(purpose, .user, .unavailable)) { await modules.check(credential, for: purpose) }
    case .look(let principal):
      let limit = neighbours.limits.subscriptionsMax
      ask(\.access, orElse: .view(nil, [])) { await modules.view(of: principal, limit: limit) }
    case .join(let appliance): join(appliance)
    case .leave(let appliance):
      audit.unsubscribed(from: appliance)
      if let member = members.removeValue(forKey: appliance) { member.audience.remove(member) }
    case .readStatus(let appliance): readStatus(of: appliance)
    case .send(let text): outlet.reply(text)
    case .append(let records, let module): append(records, module)
    case .attach(let module, let heardAt):
      self.module = module
      ask(\.access, orElse: nil) { await modules.attach(module, heardAt: heardAt) }
    case .keepAttached(let module, let heardAt): ask(\.access, orElse: nil) { await modules.keepAttached(module, heardAt: heardAt) }
    case .readCommands(let module): ask(\.commands, orElse: .commands(nil)) { .commands(await modules.unsentCommands(of: module)) }
    case .request(let control, let userID): request(control, userID)
    case .expire(let command):
      ask(\.commands, orElse: .expired(.timeout(command.id, command.type, wasSent: true))) {
        await modules.expire(command).map { .expired($0) }
      }
    case .read(let isReading): connection.isReading = isReading
    case .countFrame: hub.counters.moduleFrames += 1
    case .logRefused(let misstep, let frame):
      hub.counters.framesRefused += 1
      lines.refused(misstep.description, from: speaker, frame, within: &ownLines, at: .now())
      note(misstep)
    case .logUnknown(let parameters, let frame):
      let reason = "unknown parameters are passed over: \(parameters.joined(separator: ", "))"
      lines.refused(reason, from: speaker, frame, within: &ownLines, at: .now())
    case .close(let end):
      audit.closes(end.reason)
      connection.close(end.code, reason: end.reason)
    }
  }

  /// What the audit log is to tell of a frame that is not acted on: that it reached for another's module.
  private func note(_ misstep: ReefnetMisstep) {
    switch misstep {
    case .noTarget(let module): audit.commanded(module, "control", commandID: nil, .refused, "no such module among the user's")
    case .foreignModule, .wrongModule: audit.refused("a frame of another module")
    // What is not permitted is noted with its command, and a token with its renewal.
    case .refused, .tooEarly, .notPermitted, .notRenewed: break
    }
  }

  private var speaker: String { machine.speaker ?? "a stranger" }

  private func join(_ appliance: ApplianceID) {
    let audience = hub.audience(of: appliance, in: .reefnet) { ReefnetAudience($0, hub: hub) }
    let member = ReefnetMember(audience, outlet, self, isModule: module == appliance)
    member.role = roles[appliance] ?? .watch
    members[appliance] = member
    audience.add(member)
    if module != appliance { audit.subscribed(to: appliance) }
    if audience.isLive { handle(.live(appliance)) }
  }

  private func readStatus(of appliance: ApplianceID) {
    neighbours.ask(\.log, on: hub.eventLoop, orElse: [Event]?.none) {
      try? await $0.log.state(of: appliance)
    } take: { state in
      guard let state else { return self.handle(.statusUnread(appliance)) }
      if let status = state.last(where: { $0.type == .reefnetStatus }) { self.members[appliance]?.take(last: status) }
    }
  }

  private func request(_ control: PendingControl, _ userID: String) {
    guard let principal = machine.principal else { return }
    let (modules, audit) = (modules, audit)
    neighbours.ask(\.commands, on: hub.eventLoop, orElse: ReefnetSessionMachine.Answer.unavailable) { _ in
      await modules.request(control, of: principal)
    } take: { answer in
      let type = control.command.type.rawValue
      switch answer {
      case .desk(let answer): audit.commanded(control.module, type, commandID: control.id, answer)
      case .refused: audit.commanded(control.module, type, commandID: control.id, .refused, "no such module among the user's")
      case .unavailable: audit.commanded(control.module, type, commandID: control.id, .failed, "a database did not answer")
      }
      self.handle(.answered(commandID: control.id, answer))
    }
  }

  /// - Parameter refusal: nil where nobody waits for the answer.
  private func ask(
    _ jobs: KeyPath<Neighbours.Jobs, JobQueue>, orElse refusal: ReefnetSessionMachine.Input?,
    _ question: @escaping @Sendable () async -> ReefnetSessionMachine.Input?
  ) {
    neighbours.ask(jobs, on: hub.eventLoop, orElse: refusal) { _ in
      await question()
    } take: { answer in
      if let answer { self.handle(answer) }
    }
  }

  // MARK: The log

  private func append(_ records: [ReefnetModule.Record], _ module: ApplianceID) {
    append(ModuleDesk.entries(records), of: module, Backoff(longest: .seconds(2)))
  }

  /// Tries until the log has it. The module is held back meanwhile, by TCP. Only what is left when it has gone is given up.
  private func append(_ entries: [LogEntry], of module: ApplianceID, _ backoff: Backoff) {
    let modules = modules
    neighbours.ask(\.appends, on: hub.eventLoop, orElse: false) { _ in
      (try? await modules.append(entries, of: module)) != nil
    } take: { isStored in
      if isStored { return self.handle(.appended) }
      self.hub.counters.appendFailures += entries.count
      guard self.connection.isOpen else { return }
      var backoff = backoff
      self.hub.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(backoff.next())) { self.append(entries, of: module, backoff) }
    }
  }
}
