/// A cooker as a pure state machine: simulated time goes in, events come out, and the same seed tells the same story.
struct EpicuraCooker: Sendable {
  /// How often things go otherwise than planned, per session.
  struct Rates: Sendable {
    var warning = 0.25
    var critical = 0.08
    var alert = 0.3
  }

  private enum State: Sendable {
    case off
    /// Until the next session begins; a cooker that failed says that it is online again then.
    case idle(remainingSeconds: Double, hasFailed: Bool)
    case cooking(CookingSession)
  }

  private var state = State.off
  private var random: SeededGenerator
  private let rates: Rates
  /// What the cooker last said of itself.
  private(set) var status = CookerEvent.Status.offline
  /// Sessions that have ended, well or not.
  private(set) var sessionsEnded = 0

  init(seed: UInt64, rates: Rates = Rates()) {
    random = SeededGenerator(seed: seed)
    self.rates = rates
  }

  /// Switches the cooker on.
  mutating func powerOn() -> [CookerEvent] {
    state = .idle(remainingSeconds: 10, hasFailed: false)
    return [say(.online)]
  }

  /// Switches the cooker off, whatever it does.
  mutating func powerOff() -> [CookerEvent] {
    state = .off
    return [say(.offline)]
  }

  /// Lets simulated time pass.
  /// - Parameter seconds: Since the last call. Stages that end meanwhile are told, and then how far the session is.
  mutating func advance(seconds: Double) -> [CookerEvent] {
    switch state {
    case .off: return []
    case .idle(let remaining, let hasFailed) where remaining > seconds:
      state = .idle(remainingSeconds: remaining - seconds, hasFailed: hasFailed)
      return []
    case .idle(_, let hasFailed): return (hasFailed ? [say(.online)] : []) + begin()
    case .cooking(var session):
      let events = session.advance(seconds: seconds, random: &random)
      guard !session.hasEnded else { return events + end(failed: session.hasFailed) }
      state = .cooking(session)
      return events
    }
  }

  private mutating func begin() -> [CookerEvent] {
    let recipe = Recipe.all.randomElement(using: &random) ?? Recipe.all[0]
    let session = CookingSession(recipe, rates: rates, random: &random)
    state = .cooking(session)
    return [say(.cooking), .started(sessionID: session.id, recipe)]
  }

  private mutating func end(failed: Bool) -> [CookerEvent] {
    sessionsEnded += 1
    state = .idle(remainingSeconds: .random(in: 60...180, using: &random), hasFailed: failed)
    var events: [CookerEvent] = [say(failed ? .error : .online)]
    if random.chance(rates.alert), let alert = CookerAlert.allCases.randomElement(using: &random) { events.append(.alert(alert)) }
    return events
  }

  private mutating func say(_ status: CookerEvent.Status) -> CookerEvent {
    self.status = status
    return .status(status)
  }
}
