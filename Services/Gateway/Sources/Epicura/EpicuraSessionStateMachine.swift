internal import Access
internal import Models
internal import WebSocketTransport

/// What one app's connection does (the Epicura document, "Connection Lifecycle"): input in, actions out. Pure.
///
/// A subscription goes through four steps: the user's right is asked for; the appliance's live events are joined and held; the current state is
/// read; then `subscribed`, the current status and what was held go out, in this order, so that nothing falls between state and live.
struct EpicuraSessionStateMachine {
  struct Limits: Sendable {
    /// Appliances that one connection may listen to.
    var subscriptionsMax = 256
    /// Frames that may come before the token was checked.
    var earlyFramesMax = 32
    /// How long a neighbour may take to answer.
    var answerTimeout = Duration.seconds(10)
  }

  enum Input {
    case admission(AccessGate.Admission)
    case frame([UInt8])
    case watch(ApplianceID, attempt: Int, AccessGate.Grant)
    case live(ApplianceID)
    /// Nil when the log could not be asked.
    case state(ApplianceID, attempt: Int, [Event]?)
    /// Users, appliances or their sharing have changed.
    case accessChanged
    /// Nil when the directory could not be asked.
    case rechecked(AccessGate.Recheck?)
    /// About once a second.
    case tick
  }

  enum Action: Equatable {
    case send(EpicuraServerMessage)
    case sendEvent(Event)
    case askWhetherMayWatch(Principal, ApplianceID, attempt: Int)
    /// Listen to the appliance and hold what comes. Answered by `live`, at once where it is live already.
    case join(ApplianceID)
    case readState(ApplianceID, attempt: Int)
    /// End the hold; of what was held, the status up to this event is known to the client.
    case release(ApplianceID, statusThrough: EventID?)
    case leave(ApplianceID)
    case recheck(Principal, [ApplianceID])
    case close(WebSocketCloseCode, reason: String)
  }

  private enum Phase {
    case verifying(early: [[UInt8]])
    case open(Principal)
    case closed
  }

  private struct Subscription {
    enum Stage { case asking, joining, reading, established }
    var stage = Stage.asking
    /// Tells the answers to this attempt from those to an earlier one.
    var attempt: Int
    var isJoined = false
    var asked: Timestamp
  }

  private let limits: Limits
  private let begun: Timestamp
  private var phase = Phase.verifying(early: [])
  private var subscriptions: [ApplianceID: Subscription] = [:]
  private var lastAttempt = 0
  private var errors = ErrorBudget()
  private var isRechecking = false
  private var mustRecheck = false

  init(limits: Limits = Limits(), now: Timestamp) {
    self.limits = limits
    begun = now
  }

  mutating func handle(_ input: Input, now: Timestamp) -> [Action] {
    switch (phase, input) {
    case (.closed, _): return []
    case (.verifying(let early), .admission(let admission)): return admit(admission, early: early, now: now)
    case (.verifying(let early), .frame(let frame)): return keep(frame, behind: early)
    case (.verifying, .tick): return now - begun > limits.answerTimeout ? close(.tryAgainLater, "The token cannot be checked now") : []
    case (.open(let principal), .frame(let frame)): return take(frame, of: principal, now: now)
    case (.open, .watch(let appliance, let attempt, let answer)): return take(answer, appliance, attempt, now: now)
    case (.open, .live(let appliance)): return becameLive(appliance)
    case (.open, .state(let appliance, let attempt, let events)): return take(events, appliance, attempt, now: now)
    case (.open(let principal), .tick): return timeOut(now: now) + (mustRecheck ? recheck(principal) : [])
    case (.open(let principal), .accessChanged): return recheck(principal)
    case (.open, .rechecked(let answer)): return take(answer, now: now)
    case (.verifying, _), (.open, .admission): return []
    }
  }

  // MARK: Coming in

  private mutating func admit(_ admission: AccessGate.Admission, early: [[UInt8]], now: Timestamp) -> [Action] {
    switch admission {
    case .admitted(let principal):
      phase = .open(principal)
      return early.reduce([.send(.connected(userID: principal.subject))]) { $0 + handle(.frame($1), now: now) }
    case .refused(let error): return close(.policyViolation, error.text)
    case .unavailable: return close(.tryAgainLater, "The token cannot be checked now")
    }
  }

  private mutating func keep(_ frame: [UInt8], behind early: [[UInt8]]) -> [Action] {
    guard early.count < limits.earlyFramesMax else { return close(.policyViolation, "Too many messages before the token was checked") }
    phase = .verifying(early: early + [frame])
    return []
  }

  private mutating func close(_ code: WebSocketCloseCode, _ reason: String) -> [Action] {
    phase = .closed
    return [.close(code, reason: reason)]
  }

  // MARK: Frames

  private mutating func take(_ frame: [UInt8], of principal: Principal, now: Timestamp) -> [Action] {
    do throws(EpicuraRejection) {
      switch try EpicuraClientMessage(parsing: frame) {
      case .ping: return [.send(.pong)]
      case .subscribe(let appliance, since: _): return try subscribe(appliance, principal, now: now)
      case .unsubscribe(let appliance):
        let leaving: [Action] = subscriptions.removeValue(forKey: appliance)?.isJoined == true ? [.leave(appliance)] : []
        return leaving + [.send(.unsubscribed(appliance, now))]
      case .command(_, let appliance, data: _):
        throw EpicuraRejection(
          .commandsUnavailable, "This server does not carry out commands; nothing was sent to the appliance", appliance)
      }
    } catch {
      return reject(error, now: now)
    }
  }

  private mutating func subscribe(_ appliance: ApplianceID, _ principal: Principal, now: Timestamp) throws(EpicuraRejection) -> [Action] {
    let known = subscriptions[appliance]
    // The answer to the first one is on its way.
    if let known, known.stage != .established { return [] }
    guard known != nil || subscriptions.count < limits.subscriptionsMax else {
      throw EpicuraRejection(.tooManySubscriptions, "A connection may subscribe to \(limits.subscriptionsMax) appliances", appliance)
    }
    lastAttempt += 1
    subscriptions[appliance] = Subscription(attempt: lastAttempt, isJoined: known?.isJoined ?? false, asked: now)
    return [.askWhetherMayWatch(principal, appliance, attempt: lastAttempt)]
  }

  /// Tells the client, and closes it when it makes too many mistakes. What the server cannot do now is no mistake.
  private mutating func reject(_ rejection: EpicuraRejection, now: Timestamp) -> [Action] {
    switch rejection.code {
    case .temporarilyUnavailable, .commandsUnavailable: return [.send(.error(rejection, now))]
    case .malformedMessage, .unknownType, .applianceNotFound, .tooManySubscriptions:
      guard errors.spend(at: now) else { return close(.policyViolation, "Too many errors") }
      return [.send(.error(rejection, now))]
    }
  }

  // MARK: Subscriptions

  private mutating func take(_ answer: AccessGate.Grant, _ appliance: ApplianceID, _ attempt: Int, now: Timestamp) -> [Action] {
    guard let known = subscriptions[appliance], known.attempt == attempt, known.stage == .asking else { return [] }
    switch answer {
    case .granted:
      subscriptions[appliance]?.stage = .joining
      subscriptions[appliance]?.isJoined = true
      return [.join(appliance)]
    case .refused: return end(appliance) + reject(.notFound(appliance), now: now)
    case .unavailable: return end(appliance) + reject(.unavailable(appliance), now: now)
    }
  }

  private mutating func becameLive(_ appliance: ApplianceID) -> [Action] {
    guard let known = subscriptions[appliance], known.stage == .joining else { return [] }
    subscriptions[appliance]?.stage = .reading
    return [.readState(appliance, attempt: known.attempt)]
  }

  private mutating func take(_ events: [Event]?, _ appliance: ApplianceID, _ attempt: Int, now: Timestamp) -> [Action] {
    guard let known = subscriptions[appliance], known.attempt == attempt, known.stage == .reading else { return [] }
    guard let events else { return end(appliance) + reject(.unavailable(appliance), now: now) }
    subscriptions[appliance]?.stage = .established
    let status = events.last { $0.type.rawValue == "appliance:status" }
    let current = status.flatMap { try? JSONObject(parsing: $0.data) }?.string("status") ?? Self.statusOfTheSilent
    return [.send(.subscribed(appliance, now, currentStatus: current))] + (status.map { [.sendEvent($0)] } ?? [])
      + [.release(appliance, statusThrough: status?.id)]
  }

  /// The current status of an appliance that has never told one.
  static let statusOfTheSilent = "offline"

  private mutating func end(_ appliance: ApplianceID) -> [Action] {
    subscriptions.removeValue(forKey: appliance)?.isJoined == true ? [.leave(appliance)] : []
  }

  private mutating func timeOut(now: Timestamp) -> [Action] {
    let late = subscriptions.filter { $0.value.stage != .established && now - $0.value.asked > limits.answerTimeout }
    return late.keys.sorted().flatMap { end($0) + reject(.unavailable($0), now: now) }
  }

  // MARK: Changes of access

  private mutating func recheck(_ principal: Principal) -> [Action] {
    mustRecheck = isRechecking
    guard !isRechecking else { return [] }
    isRechecking = true
    return [.recheck(principal, subscriptions.keys.sorted())]
  }

  private mutating func take(_ answer: AccessGate.Recheck?, now: Timestamp) -> [Action] {
    isRechecking = false
    guard let answer else {
      mustRecheck = true
      return []
    }
    if let refusal = answer.refusal { return close(.policyViolation, refusal.text) }
    return answer.lost.filter { subscriptions[$0] != nil }.flatMap { end($0) + [.send(.error(.notFound($0), now))] }
  }
}

extension EpicuraRejection {
  fileprivate static func notFound(_ appliance: ApplianceID) -> Self {
    Self(.applianceNotFound, "There is no such appliance among yours", appliance)
  }

  fileprivate static func unavailable(_ appliance: ApplianceID) -> Self {
    Self(.temporarilyUnavailable, "The appliance cannot be looked up now; subscribe again in a moment", appliance)
  }
}
