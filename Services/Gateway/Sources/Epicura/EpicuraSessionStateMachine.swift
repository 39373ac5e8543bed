internal import Access
internal import Models
internal import WebSocketTransport

/// What one app's connection does (the Epicura document, "Connection Lifecycle"): input in, actions out. Pure.
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
    /// The appliance's events behind `position` come from now on; those up to it are in the log.
    case live(ApplianceID, position: EventID)
    /// Nil when the log could not be asked.
    case log(ApplianceID, attempt: Int, LogReading?)
    /// How far the client was told what it missed.
    case delivered(ApplianceID, Delivery)
    /// The client has taken everything that it was given.
    case drained
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
    /// - `since`: the last discrete event that the client knows, where it is owed the later ones.
    case readLog(ApplianceID, attempt: Int, since: EventID?)
    /// Tell the client what it missed, and then what was held. Answered by `delivered`.
    case deliver(ApplianceID, Recovery)
    case leave(ApplianceID)
    case recheck(Principal, [ApplianceID])
    case close(WebSocketCloseCode, reason: String)
    case closeAsSlow
  }

  private enum Phase {
    case verifying(early: [[UInt8]])
    case open(Principal)
    case closed
  }

  private let limits: Limits
  private let begun: Timestamp
  private var phase = Phase.verifying(early: [])
  private var subscriptions: EpicuraSubscriptions
  private var errors = ErrorBudget()
  private var isRechecking = false
  private var mustRecheck = false

  init(limits: Limits = Limits(), now: Timestamp) {
    self.limits = limits
    begun = now
    subscriptions = EpicuraSubscriptions(countMax: limits.subscriptionsMax, answerTimeout: limits.answerTimeout)
  }

  mutating func handle(_ input: Input, now: Timestamp) -> [Action] {
    switch (phase, input) {
    case (.closed, _): return []
    case (.verifying(let early), .admission(let admission)): return admit(admission, early: early, now: now)
    case (.verifying(let early), .frame(let frame)): return keep(frame, behind: early)
    case (.verifying, .tick): return now - begun > limits.answerTimeout ? close(.tryAgainLater, "The token cannot be checked now") : []
    case (.open(let principal), .frame(let frame)): return take(frame, of: principal, now: now)
    case (.open, .watch(let appliance, let attempt, let answer)): return take(answer, appliance, attempt, now: now)
    case (.open, .live(let appliance, let position)): return subscriptions.becameLive(appliance, position: position, now: now)
    case (.open, .log(let appliance, let attempt, let reading)): return take(reading, appliance, attempt, now: now)
    case (.open, .delivered(let appliance, let delivery)): return subscriptions.delivered(appliance, delivery, now: now)
    case (.open, .drained): return subscriptions.drained(now: now)
    case (.open(let principal), .tick):
      return subscriptions.late(now: now).flatMap { giveUp($0, now: now) } + (mustRecheck ? recheck(principal) : [])
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
      case .subscribe(let appliance, let since):
        let attempt = try subscriptions.begin(appliance, since: since, now: now)
        return attempt.map { [.askWhetherMayWatch(principal, appliance, attempt: $0)] } ?? []
      case .unsubscribe(let appliance): return subscriptions.end(appliance, now: now) + [.send(.unsubscribed(appliance, now))]
      case .command(_, let appliance, data: _):
        throw EpicuraRejection(
          .commandsUnavailable, "This server does not carry out commands; nothing was sent to the appliance", appliance)
      }
    } catch {
      return reject(error, now: now)
    }
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
    guard subscriptions.isAsking(appliance, attempt: attempt) else { return [] }
    switch answer {
    case .granted: return subscriptions.permitted(appliance, now: now)
    case .refused: return subscriptions.end(appliance, now: now) + reject(.notFound(appliance), now: now)
    case .unavailable: return giveUp(appliance, now: now)
    }
  }

  private mutating func take(_ reading: LogReading?, _ appliance: ApplianceID, _ attempt: Int, now: Timestamp) -> [Action] {
    guard subscriptions.isReading(appliance, attempt: attempt) else { return [] }
    guard let reading else { return giveUp(appliance, now: now) }
    return subscriptions.read(reading, appliance, now: now)
  }

  private mutating func giveUp(_ appliance: ApplianceID, now: Timestamp) -> [Action] {
    subscriptions.end(appliance, now: now) + reject(.unavailable(appliance), now: now)
  }

  // MARK: Changes of access

  private mutating func recheck(_ principal: Principal) -> [Action] {
    mustRecheck = isRechecking
    guard !isRechecking else { return [] }
    isRechecking = true
    return [.recheck(principal, subscriptions.appliances)]
  }

  private mutating func take(_ answer: AccessGate.Recheck?, now: Timestamp) -> [Action] {
    isRechecking = false
    guard let answer else {
      mustRecheck = true
      return []
    }
    if let refusal = answer.refusal { return close(.policyViolation, refusal.text) }
    return answer.lost.filter { subscriptions.contains($0) }.flatMap {
      subscriptions.end($0, now: now) + [.send(.error(.notFound($0), now))]
    }
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
