internal import Access
internal import Commands
internal import Models

/// What a connection on `/ws/reefnet` does (the reefnet document; SPEC, section 3): input in, actions out. Pure.
///
/// What it proves itself with tells whether it is a module or a UI. What is wrong is met with silence: it is logged, and the connection stays, unless it is too much.
struct ReefnetSessionMachine {
  /// What a connection proves itself with.
  struct Credential: Hashable, Sendable {
    /// A token or a secret; a token has dots, a secret of ours has none.
    let text: String
    /// The module that it says it is, if it does. A secret is nothing without it.
    let moduleID: String?

    var isToken: Bool { text.contains(".") }
  }

  /// What a credential is checked for.
  enum Purpose: Hashable {
    case entry
    /// A module's may not be good any more.
    case stay
    /// It is to take the place of the one before.
    case renewal
  }

  /// Whose a credential is, should it be good.
  enum Holder: Hashable, Sendable { case module, user }

  /// What came of a control.
  enum Answer: Hashable, Sendable {
    case desk(CommandDesk.Answer)
    /// The user does not see the module.
    case refused
    case unavailable
  }

  enum Input {
    case checked(Purpose, Holder, AccessGate.Admission)
    case frame([UInt8])
    /// Nil when the directory could not be asked.
    case view(AccessGate.Recheck?, [ApplianceID])
    /// What an appliance's events tell comes from now on.
    case live(ApplianceID)
    /// Answers `readStatus` where the log could not be asked.
    case statusUnread(ApplianceID)
    /// Commands for this module; nil when the log could not be asked.
    case commands([Command]?)
    /// An event of the life of a command.
    case told(Event, commandID: String)
    case answered(commandID: String, Answer)
    /// Answers `expire`: what the UI must be told, because the log cannot be told.
    case expired(CommandFailure)
    /// Answers `append`: the log has it, or it was given up.
    case appended
    /// Another connection of the module has taken this one's place.
    case replaced
    case accessChanged(AccessChange)
    /// About once a second.
    case tick
  }

  enum Action: Equatable {
    case check(Purpose, Credential)
    /// Ask which modules the user may see.
    case look(Principal)
    /// Listen to a module, or as a module for commands. Answered by `live`.
    case join(ApplianceID)
    case leave(ApplianceID)
    case readStatus(ApplianceID)
    case send([UInt8])
    /// Into the log, in this order. Answered by `appended`.
    case append([ReefnetModule.Record], of: ApplianceID)
    /// The module's commands come to this connection, and it is there.
    case attach(ApplianceID, heardAt: Timestamp)
    /// They still do. Answered by `replaced` where they do not.
    case keepAttached(ApplianceID, heardAt: Timestamp)
    case readCommands(ApplianceID)
    case request(PendingControl, userID: String)
    case expire(Command)
    /// Whether the client may send more now.
    case read(Bool)
    case countFrame
    case logRefused(ReefnetMisstep, [UInt8])
    case logUnknown(_ parameters: [String], [UInt8])
    case close(Visit.End)
  }

  private enum Role {
    /// Nothing to prove itself with has come, or not all of it.
    case stranger
    case checking
    case module(ReefnetModule)
    case ui(ReefnetUI)
  }

  private let limits: SessionLimits
  private let begun: Timestamp
  private let makeCommandID: () -> String
  private var visit: Visit
  private var role = Role.stranger
  /// What the request brought: either may come with the first frame.
  private let token: String?
  private let moduleID: String?
  private var credential: Credential?
  /// The one that is to take its place.
  private var nextCredential: Credential?

  init(
    token: String?, moduleID: String?, limits: SessionLimits, now: Timestamp, makeCommandID: @escaping () -> String = CommandDesk.randomID
  ) {
    (self.token, self.moduleID) = (token.flatMap { $0.isEmpty ? nil : $0 }, moduleID)
    self.limits = limits
    self.makeCommandID = makeCommandID
    begun = now
    visit = Visit(limits: limits, now: now)
  }

  mutating func begin() -> [Action] {
    guard let token else { return [] }
    let known = Credential(text: token, moduleID: moduleID)
    return known.isToken || moduleID != nil ? check(known) : []
  }

  mutating func handle(_ input: Input, now: Timestamp) -> [Action] {
    switch input {
    case .checked(let purpose, let holder, let admission): return take(admission, of: holder, for: purpose, now: now)
    case .frame(let frame): return take(frame, now: now)
    case .accessChanged(let change): return changed(change)
    case .tick: return tick(now: now)
    case .view(let recheck, let modules): return take(recheck, modules, now: now)
    default: return handleInRole(input, now: now)
    }
  }

  private mutating func handleInRole(_ input: Input, now: Timestamp) -> [Action] {
    switch (role, input) {
    case (.module(var module), .live): return finish(module.becameLive(), &module)
    case (.module(var module), .commands(let commands)): return finish(module.take(commands, now: now), &module)
    case (.module(var module), .appended): return finish(module.appended(), &module)
    case (.module, .replaced): return [.close(visit.end(.broken("Another connection of this module has taken its place")))]
    case (.ui(var ui), .live(let module)): return finish(ui.becameLive(module, now: now), &ui)
    case (.ui(var ui), .statusUnread(let module)):
      ui.statusUnread(module)
      return finish([], &ui)
    case (.ui(var ui), .told(let event, let id)): return finish(ui.told(event, commandID: id, now: now), &ui)
    case (.ui(var ui), .expired(let failure)): return finish(ui.expired(failure, now: now), &ui)
    case (.ui(var ui), .answered(let id, let answer)):
      var actions: [Action] = []
      do { actions = try ui.answered(id, answer, now: now) } catch { actions = misstep(error, [], now: now) }
      return finish(actions + ui.advance(now: now), &ui)
    default: return []
    }
  }

  /// A role that was changed takes its place again, unless the visit is over.
  private mutating func finish(_ actions: [Action], _ module: inout ReefnetModule) -> [Action] {
    role = .module(module)
    return actions
  }

  private mutating func finish(_ actions: [Action], _ ui: inout ReefnetUI) -> [Action] {
    role = .ui(ui)
    return actions
  }

  /// Who is in; nil before that is known, and after the end.
  var principal: Principal? { visit.principal }

  /// Who it says that it is, for the service's log.
  var speaker: String? { visit.principal?.subject ?? credential?.moduleID }

  /// The module that it says it is.
  var claimedModuleID: String? { credential?.moduleID }

  /// Whether the UI waits to hear what becomes of this command.
  func waits(forCommand id: String) -> Bool { if case .ui(let ui) = role { ui.waits(forCommand: id) } else { false } }

  // MARK: Coming in

  private mutating func check(_ known: Credential) -> [Action] {
    credential = known
    role = .checking
    return [.check(.entry, known)]
  }

  /// The first frame tells what the request left open.
  private mutating func meet(_ frame: [UInt8], now: Timestamp) -> [Action] {
    let greeting: ReefnetGreeting
    do { greeting = try ReefnetGreeting(parsing: frame) } catch { return misstep(.refused(error), frame, now: now) }
    guard let text = token ?? greeting.token else { return [.close(visit.end(.refused(.authenticationRequired)))] }
    let kept = visit.keep(frame).map { [Action.close($0)] } ?? []
    return kept + check(Credential(text: text, moduleID: moduleID ?? greeting.moduleID))
  }

  private mutating func take(_ admission: AccessGate.Admission, of holder: Holder, for purpose: Purpose, now: Timestamp) -> [Action] {
    switch purpose {
    case .entry:
      switch visit.admit(admission) {
      case .entered(let principal, let early): return enter(principal, as: holder, early, now: now)
      case .ended(let end): return [.close(end)]
      case nil: return []
      }
    case .stay:
      guard visit.principal != nil else { return [] }
      return take(AccessGate.Recheck(admission), [], now: now)
    case .renewal: return renew(by: admission, of: holder, now: now)
    }
  }

  private mutating func enter(_ principal: Principal, as holder: Holder, _ early: [[UInt8]], now: Timestamp) -> [Action] {
    var actions: [Action]
    switch holder {
    case .module:
      guard let id = try? ApplianceID(principal.subject) else { return [.close(visit.end(.refused(.invalidOrExpiredToken)))] }
      let module = ReefnetModule(id, now: now)
      role = .module(module)
      actions = module.begin() + recheckIfDue()
    case .user:
      role = .ui(ReefnetUI(userID: principal.subject, limits: limits, makeCommandID: makeCommandID))
      visit.mustBeRechecked()
      actions = recheckIfDue()
    }
    for frame in early { actions += take(frame, now: now) }
    return actions
  }

  // MARK: Frames

  private mutating func take(_ frame: [UInt8], now: Timestamp) -> [Action] {
    do throws(ReefnetMisstep) {
      switch role {
      case .stranger: return meet(frame, now: now)
      case .checking: return visit.keep(frame).map { [.close($0)] } ?? []
      case .module(var module):
        if let renewal = ReefnetRenewal(parsing: frame) { return beginRenewal(renewal.token, frame, now: now) }
        return finish(try module.take(frame, now: now), &module)
      case .ui(var ui):
        if let renewal = ReefnetRenewal(parsing: frame) { return beginRenewal(renewal.token, frame, now: now) }
        return finish(try ui.take(frame, now: now), &ui)
      }
    } catch {
      return misstep(error, frame, now: now)
    }
  }

  private mutating func misstep(_ misstep: ReefnetMisstep, _ frame: [UInt8], now: Timestamp) -> [Action] {
    let log = Action.logRefused(misstep, frame)
    if misstep == .wrongModule { return [log, .close(visit.end(.refused(.invalidOrExpiredToken)))] }
    // What nobody could check is nobody's mistake.
    guard misstep != .notRenewed(.unavailable), let end = visit.countMistake(now: now) else { return [log] }
    return [log, .close(end)]
  }

  // MARK: Time and tokens

  private mutating func tick(now: Timestamp) -> [Action] {
    if case .stranger = role {
      return now - begun > limits.answerTimeout ? [.close(visit.end(.refused(.authenticationRequired)))] : []
    }
    var actions: [Action] = []
    switch visit.tick(now: now) {
    case .ended(let end): return [.close(end)]
    case .expiring(let end): actions.append(.send(ReefnetServerMessage.tokenExpiring(now, expiresAt: end).encoded()))
    case nil: break
    }
    switch role {
    case .module(var module): actions += finish(module.tick(now: now), &module)
    case .ui(var ui): actions += finish(ui.tick(now: now), &ui)
    case .stranger, .checking: break
    }
    return actions + recheckIfDue()
  }

  private mutating func beginRenewal(_ token: String, _ frame: [UInt8], now: Timestamp) -> [Action] {
    do { try visit.beginRenewal() } catch { return misstep(.notRenewed(error), [], now: now) }
    let next = Credential(text: token, moduleID: credential?.moduleID)
    nextCredential = next
    return [.check(.renewal, next)]
  }

  private mutating func renew(by admission: AccessGate.Admission, of holder: Holder, now: Timestamp) -> [Action] {
    defer { nextCredential = nil }
    do {
      let isOfRole = isOfRole(holder)
      guard let principal = try visit.renew(isOfRole ? admission : .refused(.invalidOrExpiredToken)) else { return [] }
      credential = nextCredential
      visit.mustBeRechecked()
      return [.send(ReefnetServerMessage.authenticated(now, expiresAt: principal.expiresAt).encoded())] + recheckIfDue()
    } catch {
      // Without the frame, in which the token stands.
      return misstep(.notRenewed(error), [], now: now)
    }
  }

  /// A refused credential is nobody's.
  private func isOfRole(_ holder: Holder) -> Bool {
    switch role {
    case .module: holder == .module
    case .ui: holder == .user
    case .stranger, .checking: false
    }
  }

  // MARK: Changes of access

  private mutating func changed(_ change: AccessChange) -> [Action] {
    let subject = visit.principal?.subject
    switch (change, role) {
    case (_, .stranger), (.sensors, _): return []
    case (.everything, _), (_, .checking), (.appliance, .ui): break
    case (.appliance(let id), .module(let module)): guard id == module.id else { return [] }
    case (.user(let id), _), (.token(_, ofUser: let id), _): guard id == subject else { return [] }
    }
    visit.mustBeRechecked()
    return recheckIfDue()
  }

  private mutating func recheckIfDue() -> [Action] {
    guard let principal = visit.recheckIfDue() else { return [] }
    if case .module = role { return credential.map { [.check(.stay, $0)] } ?? [] }
    return [.look(principal)]
  }

  private mutating func take(_ recheck: AccessGate.Recheck?, _ modules: [ApplianceID], now: Timestamp) -> [Action] {
    guard visit.principal != nil else { return [] }
    switch visit.rechecked(recheck) {
    // Asked again at the next tick.
    case .unanswered: return []
    case .ended(let end): return [.close(end)]
    case .stays: break
    }
    guard case .ui(var ui) = role else { return recheckIfDue() }
    let (changes, frames) = ui.take(modules)
    var actions = finish(changes, &ui) + recheckIfDue()
    for frame in frames { actions += take(frame, now: now) }
    return actions
  }
}
