internal import Access
internal import Commands
internal import EventLog
internal import Models
internal import Store

/// What connections on `/ws/reefnet` ask of the directory, the log and the board of who is there. Used off the event loop.
struct ModuleDesk: Sendable {
  let gate: any Gatekeeper
  let devices: Devices
  let board: PresenceBoard
  let log: any EventLog
  let roles: RoleTable
  /// Names the connection among all of all gateways.
  private let connection = CommandDesk.randomID()

  /// For how long a module's commands wait for a gateway that says no more that it holds the module: three times `ReefnetModule.presenceInterval`.
  private static let lifetime = Duration.seconds(15)

  init(gate: any Gatekeeper, devices: Devices, board: PresenceBoard, log: any EventLog, roles: RoleTable) {
    self.gate = gate
    self.devices = devices
    self.board = board
    self.log = log
    self.roles = roles
  }

  // MARK: Who it is

  /// A user's token is a UI's; any other, and a secret, a module's.
  func check(
    _ credential: ReefnetSessionMachine.Credential, for purpose: ReefnetSessionMachine.Purpose
  ) async -> ReefnetSessionMachine.Input {
    if credential.isToken {
      let admission = await gate.admit(credential.text)
      guard admission == .refused(.invalidOrExpiredToken) else { return .checked(purpose, .user, admission) }
    }
    return .checked(purpose, .module, await devices.admit(credential.moduleID, credential: credential.text, speaking: .reefnet))
  }

  /// What is left of the user's rights, and the modules that they may see.
  func view(of principal: Principal, limit: Int) async -> ReefnetSessionMachine.Input {
    guard let recheck = await gate.recheck(principal, []) else { return .view(nil, []) }
    guard recheck.refusal == nil else { return .view(recheck, []) }
    guard let modules = await gate.appliances(of: .reefnet, visibleTo: principal, limit: limit) else { return .view(nil, []) }
    let permissions = Dictionary(modules.map { ($0.id, $0.permission) }) { $1 }
    return .view(AccessGate.Recheck(permissions: permissions), modules.map(\.id))
  }

  // MARK: Presence

  /// The module's commands come to this connection from now on, whichever it had before. Answers nothing.
  func attach(_ module: ApplianceID, heardAt: Timestamp) async -> ReefnetSessionMachine.Input? {
    try? await board.attach(module, to: connection, for: Self.lifetime)
    await tellHeard(module, heardAt)
    return nil
  }

  func keepAttached(_ module: ApplianceID, heardAt: Timestamp) async -> ReefnetSessionMachine.Input? {
    // While the board cannot be asked the connection stays.
    guard (try? await board.keep(module, on: connection, for: Self.lifetime)) ?? true else { return .replaced }
    await tellHeard(module, heardAt)
    return nil
  }

  /// The connection has ended: the module is offline, unless another one has taken its place.
  func detach(_ module: ApplianceID) async {
    guard let (hasNone, told) = try? await board.detach(module, from: connection), hasNone,
      let word = PresenceWord(disconnectedAfter: told)
    else { return }
    _ = try? await log.append([word.entry(of: module, insteadOf: told, at: .now())])
  }

  /// Puts off the moment at which its silence tells that it is offline, and tells that it is online if that is news.
  private func tellHeard(_ module: ApplianceID, _ heardAt: Timestamp) async {
    guard let told = try? await board.postpone([module: heardAt + ReefnetStatus.silenceMax]) else { return }
    guard let word = PresenceWord(heardAt: heardAt, told: told[module]) else { return }
    _ = try? await log.append([word.entry(of: module, insteadOf: told[module], at: .now())])
  }

  // MARK: The log

  static func entries(_ records: [ReefnetModule.Record]) -> [LogEntry] {
    records.map { record in
      switch record {
      // By its receipt, because a module may not know the time.
      case .frame(let event, let receivedAt): LogEntry(named: event, order: receivedAt)
      case .sent(let command, let time):
        LogEntry(
          .event(CommandOutcome.sent(command.id, command.type, to: command.applianceID, at: time)), order: time, step: .sent(id: command.id)
        )
      }
    }
  }

  /// Appends what a module says, and behind each status what it proves. Throws what the log throws.
  func append(_ entries: [LogEntry], of module: ApplianceID) async throws {
    var entries = entries
    if entries.contains(where: \.isStatus) {
      let open = [module: try await log.openCommands(of: module)]
      let asked = try await StatusProof.asked(open, in: log)
      entries = entries.flatMap { [$0] + StatusProof.entries(in: $0, open: open, asked: asked) }
    }
    _ = try await log.append(entries)
  }

  // MARK: Commands

  /// What the module was told before it was heard here, and is still to hear. Nil when the log could not be asked.
  func unsentCommands(of module: ApplianceID) async -> [Command]? {
    guard let open = try? await log.openCommands(of: module) else { return nil }
    let unsent = Set(open.filter { !$0.isSent && ReefnetCommand($0.type) != nil }.map(\.id))
    guard !unsent.isEmpty else { return [] }
    let events = try? await log.history(of: module, after: .zero).events
    return events?.compactMap(Command.init(requestedBy:)).filter { unsent.contains($0.id) }
  }

  func request(_ control: PendingControl, of principal: Principal) async -> ReefnetSessionMachine.Answer {
    switch await gate.permission(of: principal, on: control.module) {
    case .refused: return .refused
    case .unavailable: return .unavailable
    case .granted(let permission):
      let request = CommandRequest(
        applianceID: control.module, dialect: .reefnet, type: control.command.type, data: control.frame, userID: principal.subject,
        requestID: control.requestID)
      return .desk(await CommandDesk(log: log, roles: roles, makeID: { control.id }).request(request, permission: permission))
    }
  }

  /// Settles a command whose deadline has passed. See `CommandDesk.expire`.
  func expire(_ command: Command) async -> CommandFailure? { await CommandDesk(log: log).expire(command) }
}

extension LogEntry {
  fileprivate var isStatus: Bool { if case .event(let event) = content { event.type == .reefnetStatus } else { false } }
}
