internal import EventLog
internal import Models

/// What the log was found to hold of one appliance.
struct LogReading: Hashable, Sendable {
  /// The newest event of each type.
  let state: [Event]
  /// The discrete events behind the one that was asked for; nil when none was.
  let history: EventHistory?

  /// The discrete events that were asked for, when these are provably all.
  var wholePast: [Event]? { history.flatMap { $0.isComplete ? $0.events : nil } }

  /// What a role gets of it.
  func permitted(to role: Permission, by roles: RoleTable) -> LogReading {
    let isPermitted = { (event: Event) in roles.permits(role, event: event.type) }
    return LogReading(
      state: state.filter(isPermitted),
      history: history.map { EventHistory(events: $0.events.filter(isPermitted), isComplete: $0.isComplete) })
  }

  /// Reads first the state and then the history, because whatever is discrete and older than an event of the state is then surely in the history.
  /// - Parameter since: the last discrete event that is known already; nil when the past is not wanted.
  static func read(_ appliance: ApplianceID, since: EventID?, in log: any EventLog) async throws -> LogReading {
    let state = try await log.state(of: appliance)
    guard let since else { return LogReading(state: state, history: nil) }
    return LogReading(state: state, history: try await log.history(of: appliance, after: since))
  }
}

/// What a client that was away is told before the live events. Pure.
struct Recovery: Hashable, Sendable {
  /// What the client knows before.
  let known: KnownEvents
  /// The discrete events that it missed, in order, and then the newest of each type of telemetry where that is new to it.
  let missed: [Event]

  init(_ known: KnownEvents, state: [Event], history: [Event]) {
    self.known = known
    missed = history.filter(known.isNew) + state.filter { $0.isTelemetry && known.isNew($0) }
  }

  /// For a client that wants live events only: those behind `position`.
  init(nothingUpTo position: EventID) {
    self.init(KnownEvents(since: position), state: [], history: [])
  }
}

/// How far the telling of a recovery came.
enum Delivery: Hashable, Sendable {
  /// The client has everything, and the live events follow.
  case whole
  /// The client takes no more now, or not all that came meanwhile could be held. It knows this much; when it has taken that, the log is to be read
  /// again from there.
  case part(KnownEvents)
}
