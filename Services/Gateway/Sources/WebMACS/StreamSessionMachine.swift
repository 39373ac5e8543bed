internal import Access
internal import Models

/// What one dashboard's connection does (the WebMACS document's "Datapoint Stream"): input in, actions out. Pure.
///
/// It hears every controller that its user may see. `connected` is said once all of them are heard, so that what is measured after it surely comes.
struct StreamSessionMachine {
  /// What a user may see, and whether they may stay.
  struct View: Hashable, Sendable {
    var refusal: AccessError?
    var controllers: [ApplianceID] = []
  }

  enum Input {
    case admission(AccessGate.Admission)
    /// What became of the token in `auth`.
    case renewal(AccessGate.Admission)
    case frame([UInt8])
    /// Nil when the directory could not be asked.
    case view(View?)
    /// What a controller says comes from now on.
    case live(ApplianceID)
    case accessChanged(AccessChange)
    /// About once a second.
    case tick
  }

  enum Action: Equatable {
    case send(WebMACSServerMessage)
    case look(Principal)
    case renew(token: String)
    /// Answered by `live`, at once where the controller is heard already.
    case join(ApplianceID)
    case leave(ApplianceID)
    case close(Visit.End)
  }

  /// How long `connected` waits for controllers that cannot be heard now.
  static let patience = Duration.seconds(3)

  private let limits: SessionLimits
  private var visit: Visit
  private var controllers: Set<ApplianceID> = []
  /// Those of them that are not heard yet.
  private var unheard: Set<ApplianceID> = []
  private var enteredAt: Timestamp?
  private var hasLooked = false
  /// Frames that came before `connected`; nil after it.
  private var early: [[UInt8]]? = []

  init(limits: SessionLimits, now: Timestamp) {
    self.limits = limits
    visit = Visit(limits: limits, now: now)
  }

  mutating func handle(_ input: Input, now: Timestamp) -> [Action] {
    switch input {
    case .admission(let admission): return admit(admission, now: now)
    case .renewal(let admission): return renew(by: admission, now: now)
    case .frame(let frame): return take(frame, now: now)
    case .view(let view): return visit.principal == nil ? [] : take(view, now: now)
    case .live(let controller):
      unheard.remove(controller)
      return connectIfReady(now: now)
    case .accessChanged(let change): return changed(change)
    case .tick: return tick(now: now)
    }
  }

  // MARK: The user

  private mutating func admit(_ admission: AccessGate.Admission, now: Timestamp) -> [Action] {
    switch visit.admit(admission) {
    case .entered(_, let frames):
      early = frames
      enteredAt = now
      return look()
    case .ended(let end): return [.close(end)]
    case nil: return []
    }
  }

  private mutating func renew(by admission: AccessGate.Admission, now: Timestamp) -> [Action] {
    do {
      guard let principal = try visit.renew(admission) else { return [] }
      // The other token may bring another role.
      return [.send(.authenticated(now, expiresAt: principal.expiresAt))] + look()
    } catch {
      return refuse(error, now: now)
    }
  }

  private mutating func beginRenewal(_ token: String, now: Timestamp) -> [Action] {
    do {
      try visit.beginRenewal()
      return [.renew(token: token)]
    } catch {
      return refuse(error, now: now)
    }
  }

  /// Another token was refused. That is a mistake, unless nobody could check it.
  private mutating func refuse(_ error: RenewalError, now: Timestamp) -> [Action] {
    if error != .unavailable, let end = visit.countMistake(now: now) { return [.close(end)] }
    return [.send(.error(error.text))]
  }

  private mutating func tick(now: Timestamp) -> [Action] {
    var actions: [Action] = []
    switch visit.tick(now: now) {
    case .ended(let end): return [.close(end)]
    case .expiring(let end): actions.append(.send(.tokenExpiring(now, expiresAt: end)))
    case nil: break
    }
    return actions + lookIfDue() + connectIfReady(now: now)
  }

  // MARK: What the user may see

  private mutating func look() -> [Action] {
    visit.mustBeRechecked()
    return lookIfDue()
  }

  private mutating func lookIfDue() -> [Action] { visit.recheckIfDue().map { [.look($0)] } ?? [] }

  private mutating func changed(_ change: AccessChange) -> [Action] {
    switch change {
    // Any appliance may be one that the user may see from now on.
    case .everything, .appliance: return look()
    case .user(let id), .token(_, ofUser: let id): return visit.principal.map { $0.subject == id } ?? true ? look() : []
    case .sensors: return []
    }
  }

  private mutating func take(_ view: View?, now: Timestamp) -> [Action] {
    switch visit.rechecked(view.map { AccessGate.Recheck(refusal: $0.refusal) }) {
    case .unanswered: return []
    case .ended(let end): return [.close(end)]
    case .stays: break
    }
    hasLooked = true
    let wanted = Set(view?.controllers ?? [])
    let (lost, gained) = (controllers.subtracting(wanted).sorted(), wanted.subtracting(controllers).sorted())
    controllers = wanted
    unheard = unheard.intersection(wanted).union(gained)
    return lost.map(Action.leave) + gained.map(Action.join) + lookIfDue() + connectIfReady(now: now)
  }

  private mutating func connectIfReady(now: Timestamp) -> [Action] {
    guard let early, let enteredAt, visit.principal != nil else { return [] }
    guard (hasLooked && unheard.isEmpty) || now - enteredAt > Self.patience else { return [] }
    self.early = nil
    return [.send(.connected)] + early.flatMap { take($0, now: now) }
  }

  // MARK: Frames

  private mutating func take(_ frame: [UInt8], now: Timestamp) -> [Action] {
    guard visit.principal != nil else { return visit.keep(frame).map { [.close($0)] } ?? [] }
    if let early {
      guard early.count < limits.earlyFramesMax else { return [.close(visit.end(.broken("Too many messages before 'connected'")))] }
      self.early = early + [frame]
      return []
    }
    do throws(WebMACSRejection) {
      switch try WebMACSStreamMessage(parsing: frame) {
      case .ping: return [.send(.pong)]
      case .auth(let token): return beginRenewal(token, now: now)
      }
    } catch {
      return visit.countMistake(now: now).map { [.close($0)] } ?? [.send(.error(error.message))]
    }
  }
}
