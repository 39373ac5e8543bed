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
    case paused(CookingSession)
  }

  private var state = State.off
  private var random: SeededGenerator
  private let rates: Rates
  /// Whether sessions begin by command only.
  private var waitsForStart: Bool
  /// What the cooker last said of itself.
  private(set) var status = CookerEvent.Status.offline
  /// Sessions that have ended, well or not.
  private(set) var sessionsEnded = 0

  init(seed: UInt64, rates: Rates = Rates(), waitsForStart: Bool = false) {
    random = SeededGenerator(seed: seed)
    self.rates = rates
    self.waitsForStart = waitsForStart
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
    case .off, .paused: return []
    case .idle(_, hasFailed: false) where waitsForStart: return []
    case .idle(let remaining, let hasFailed) where remaining > seconds:
      state = .idle(remainingSeconds: remaining - seconds, hasFailed: hasFailed)
      return []
    case .idle(_, let hasFailed):
      let recovery = hasFailed ? [say(.online)] : []
      guard !waitsForStart else {
        state = .idle(remainingSeconds: 0, hasFailed: false)
        return recovery
      }
      return recovery + begin(Recipe.all.randomElement(using: &random) ?? Recipe.all[0])
    case .cooking(var session):
      let events = session.advance(seconds: seconds, random: &random)
      guard !session.hasEnded else { return events + end(failed: session.hasFailed) }
      state = .cooking(session)
      return events
    }
  }

  /// Why a command is not carried out, for a person.
  struct Refusal: Error, Equatable {
    let message: String

    static let busy = Refusal(message: "The cooker is cooking already.")
    static let idle = Refusal(message: "Nothing is cooking.")
    static let notPaused = Refusal(message: "The session is not paused.")
    static let off = Refusal(message: "The cooker is off.")
  }

  /// Carries a command out. A cooker that was stopped begins nothing by itself any more.
  mutating func obey(_ order: CookerOrder.Kind) throws(Refusal) -> [CookerEvent] {
    switch (order, state) {
    case (_, .off): throw .off
    case (.start(let recipeID), .idle): return begin(.cooked(as: recipeID))
    case (.start, _): throw .busy
    case (.pause, .cooking(let session)): state = .paused(session)
    case (.resume, .paused(let session)): state = .cooking(session)
    case (.resume, .cooking): throw .notPaused
    case (.pause, .paused): break
    case (.pause, .idle), (.resume, .idle): throw .idle
    case (.stop, .idle): waitsForStart = true
    case (.stop, .cooking), (.stop, .paused):
      waitsForStart = true
      sessionsEnded += 1
      state = .idle(remainingSeconds: 0, hasFailed: false)
      return [say(.online)]
    }
    return []
  }

  private mutating func begin(_ recipe: Recipe) -> [CookerEvent] {
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
