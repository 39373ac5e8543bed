internal import Access
internal import Models
internal import WebSocketTransport

/// What is the same in every dialect of a connection's stay (SPEC, section 2): the check of its token and what the client says meanwhile, the
/// token's life, changes of its rights, and how many mistakes it may make. Pure; in which words the client hears of it is the dialect's.
struct Visit {
  /// Why a connection is closed.
  struct End: Hashable, Sendable {
    let code: WebSocketCloseCode
    let reason: String

    static let tokenCannotBeChecked = End(code: .tryAgainLater, reason: "The token cannot be checked now")
    static func refused(_ error: AccessError) -> End { End(code: .policyViolation, reason: error.text) }
    static func broken(_ reason: String) -> End { End(code: .policyViolation, reason: reason) }
  }

  /// What came of the token's check.
  enum Entry: Hashable {
    /// With the frames that came before.
    case entered(Principal, early: [[UInt8]])
    case ended(End)
  }

  enum Notice: Hashable {
    /// The token ends within a minute.
    case expiring(at: Timestamp)
    case ended(End)
  }

  enum Rechecked: Hashable {
    /// The directory could not be asked: `recheckIfDue` asks again at the next tick.
    case unanswered
    case ended(End)
    /// The connection stays, without these appliances.
    case stays(lost: [ApplianceID])
  }

  private enum Phase {
    case verifying(early: [[UInt8]])
    case open(TokenLife)
    case over
  }

  private let limits: SessionLimits
  private let begun: Timestamp
  private var phase = Phase.verifying(early: [])
  private var mistakes = ErrorBudget()
  private var isRechecking = false
  private var mustRecheck = false

  init(limits: SessionLimits, now: Timestamp) {
    self.limits = limits
    begun = now
  }

  /// Who is in; nil before the token was checked and after the end.
  var principal: Principal? { if case .open(let token) = phase { token.principal } else { nil } }

  // MARK: Coming in

  /// The token was checked. Nil where nobody waits for that any more.
  mutating func admit(_ admission: AccessGate.Admission) -> Entry? {
    guard case .verifying(let early) = phase else { return nil }
    switch admission {
    case .admitted(let principal):
      phase = .open(TokenLife(principal))
      return .entered(principal, early: early)
    case .refused(let error): return .ended(end(.refused(error)))
    case .unavailable: return .ended(end(.tokenCannotBeChecked))
    }
  }

  /// Keeps a frame until the token is checked.
  mutating func keep(_ frame: [UInt8]) -> End? {
    guard case .verifying(let early) = phase else { return nil }
    guard early.count < limits.earlyFramesMax else { return end(.broken("Too many messages before the token was checked")) }
    phase = .verifying(early: early + [frame])
    return nil
  }

  // MARK: Staying

  /// About once a second.
  mutating func tick(now: Timestamp) -> Notice? {
    switch phase {
    case .verifying: return now - begun > limits.answerTimeout ? .ended(end(.tokenCannotBeChecked)) : nil
    case .open(var token):
      let notice = token.tick(now: now)
      phase = .open(token)
      switch notice {
      case .expired: return .ended(end(.refused(.invalidOrExpiredToken)))
      case .expiring: return .expiring(at: token.principal.expiresAt)
      case nil: return nil
      }
    case .over: return nil
    }
  }

  /// Another token is to be checked in place of this one.
  mutating func beginRenewal() throws(RenewalError) {
    guard case .open(var token) = phase else { return }
    try token.beginRenewal()
    phase = .open(token)
  }

  /// The other token was checked. Answers whose it is; nil where nobody waits for that any more.
  mutating func renew(_ admission: AccessGate.Admission) throws(RenewalError) -> Principal? {
    guard case .open(var token) = phase else { return nil }
    defer { phase = .open(token) }
    try token.renew(admission)
    return token.principal
  }

  /// Counts a mistake. Nil while there are not too many.
  mutating func countMistake(now: Timestamp) -> End? {
    mistakes.spend(at: now) ? nil : end(.broken("Too many errors"))
  }

  /// Ends the visit.
  mutating func end(_ end: End) -> End {
    phase = .over
    return end
  }

  // MARK: Changes of access

  /// Something has changed that concerns the client: an answer that is on its way may be of before.
  mutating func mustBeRechecked() { mustRecheck = true }

  /// Whose rights are to be asked for now; `rechecked` takes the answer. Nil where nothing has changed, and while an answer is on its way.
  mutating func recheckIfDue() -> Principal? {
    guard mustRecheck, !isRechecking, let principal else { return nil }
    mustRecheck = false
    isRechecking = true
    return principal
  }

  mutating func rechecked(_ answer: AccessGate.Recheck?) -> Rechecked {
    isRechecking = false
    guard let answer else {
      mustRecheck = true
      return .unanswered
    }
    if let refusal = answer.refusal { return .ended(end(.refused(refusal))) }
    return .stays(lost: answer.lost)
  }
}
