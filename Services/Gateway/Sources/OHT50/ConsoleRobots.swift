internal import Models

/// The robots that one console watches. Pure.
///
/// A robot is joined and its live events are held; where the console named the last event that it saw, the log is read; then `subscribed`, what was missed, and what was held go out.
struct ConsoleRobots {
  typealias Action = ConsoleSessionMachine.Action

  private struct Robot {
    enum Stage {
      case joining, reading
      /// The rest of what the console missed waits until it has taken what it was given.
      case paused
      case established
    }

    var stage = Stage.joining
    var view: ConsoleView
    /// The last event that the console saw, where it is owed the later ones.
    var since: EventID?
    /// What it was told of those.
    var known: KnownEvents?
    /// Behind it the live events begin.
    var position = EventID.zero
    /// Tells the answers to the last question to the log from those to earlier ones.
    var attempt = 0
  }

  /// A subscription that is to be confirmed.
  private struct Answer {
    let subscription: OHT50Subscription
    /// Robots that are not heard yet.
    var unheard: Set<ApplianceID>
    var recovered: Bool?
    let begun: Timestamp
  }

  /// How long `subscribed` waits for robots that cannot be heard now.
  static let patience = Duration.seconds(3)

  private var robots: [ApplianceID: Robot] = [:]
  private var answers: [Answer] = []

  /// In the order of their ids.
  var watched: [ApplianceID] { robots.keys.sorted() }
  func view(of robot: ApplianceID) -> ConsoleView? { robots[robot]?.view }

  // MARK: Beginning and ending

  /// Watches these robots, and no others.
  mutating func watch(_ wanted: [ApplianceID: ConsoleView]) -> [Action] {
    var actions: [Action] = []
    for robot in watched where wanted[robot] == nil { actions += leave(robot) }
    for (robot, view) in wanted.sorted(by: { $0.key < $1.key }) {
      if robots[robot] == nil {
        robots[robot] = Robot(view: view)
        actions.append(.join(robot, view))
      } else if robots[robot]?.view != view {
        robots[robot]?.view = view
        actions.append(.show(robot, view))
      }
    }
    return actions
  }

  private mutating func leave(_ robot: ApplianceID) -> [Action] {
    robots[robot] = nil
    return [.leave(robot)] + heard(robot)
  }

  /// The robot has no room for another console.
  mutating func isFull(_ robot: ApplianceID) -> [Action] {
    robots[robot] = nil
    return heard(robot)
  }

  /// Confirms a subscription once these robots are heard. A past is owed of one robot only: the ids of several do not tell their order.
  mutating func confirm(_ subscription: OHT50Subscription, of concerned: Set<ApplianceID>, now: Timestamp) -> [Action] {
    var answer = Answer(subscription: subscription, unheard: concerned.filter { robots[$0]?.stage == .joining }, begun: now)
    guard let since = subscription.since else {
      answers.append(answer)
      return confirmHeard()
    }
    guard concerned.count == 1, let robot = concerned.first, robots[robot] != nil else {
      answer.recovered = false
      answers.append(answer)
      return confirmHeard()
    }
    answer.unheard = [robot]
    answers.append(answer)
    robots[robot]?.since = since
    robots[robot]?.known = nil
    return robots[robot]?.stage == .joining ? [] : rejoin(robot)
  }

  private mutating func rejoin(_ robot: ApplianceID) -> [Action] {
    guard let view = robots[robot]?.view else { return [] }
    robots[robot]?.stage = .joining
    robots[robot]?.attempt += 1
    return [.join(robot, view)]
  }

  // MARK: Steps

  mutating func becameLive(_ id: ApplianceID, position: EventID) -> [Action] {
    guard var robot = robots[id], robot.stage == .joining else { return [] }
    robot.position = position
    robot.stage = .reading
    defer { robots[id] = robot }
    guard let since = robot.known?.discrete ?? robot.since else {
      return heard(id) + [.deliver(id, Recovery(nothingUpTo: position))]
    }
    robot.attempt += 1
    return [.readLog(id, attempt: robot.attempt, since: since)]
  }

  /// What the log holds of a robot; nil when it could not be asked.
  mutating func read(_ reading: LogReading?, _ id: ApplianceID, attempt: Int) -> [Action] {
    guard let robot = robots[id], robot.stage == .reading, robot.attempt == attempt else { return [] }
    let past = reading?.wholePast
    if let known = robot.known {
      // It has been told that everything will come, and the log has lost some of it meanwhile, or does not answer.
      guard let reading, let past else { return [.closeAsSlow] }
      return [.deliver(id, recovery(known, reading.state, past, robot.view))]
    }
    robots[id]?.since = nil
    guard let since = robot.since, let reading, let past else {
      return heard(id, recovered: false) + [.deliver(id, Recovery(nothingUpTo: robot.position))]
    }
    return heard(id, recovered: true) + [.deliver(id, recovery(KnownEvents(since: since), reading.state, past, robot.view))]
  }

  private func recovery(_ known: KnownEvents, _ state: [Event], _ past: [Event], _ view: ConsoleView) -> Recovery {
    let isWanted = { (event: Event) in view.interval(of: event.type) != nil }
    return Recovery(known, state: state.filter(isWanted), history: past.filter(isWanted))
  }

  mutating func delivered(_ robot: ApplianceID, _ delivery: Delivery) {
    guard robots[robot]?.stage == .reading else { return }
    switch delivery {
    case .whole:
      robots[robot]?.stage = .established
      robots[robot]?.known = nil
    case .part(let known):
      robots[robot]?.known = known
      robots[robot]?.stage = .paused
    }
  }

  /// The console has taken everything that it was given.
  mutating func drained() -> [Action] {
    robots.filter { $0.value.stage == .paused }.keys.sorted().flatMap { rejoin($0) }
  }

  // MARK: Confirmations

  private mutating func heard(_ robot: ApplianceID, recovered: Bool? = nil) -> [Action] {
    for index in answers.indices where answers[index].unheard.remove(robot) != nil {
      if answers[index].subscription.since != nil { answers[index].recovered = recovered ?? false }
    }
    return confirmHeard()
  }

  private mutating func confirmHeard() -> [Action] {
    let heard = answers.filter(\.unheard.isEmpty)
    answers.removeAll(where: \.unheard.isEmpty)
    return heard.map { .send(.subscribed($0.subscription, recovered: $0.recovered)) }
  }

  mutating func tick(now: Timestamp) -> [Action] {
    for index in answers.indices where now - answers[index].begun > Self.patience {
      for robot in answers[index].unheard { robots[robot]?.since = nil }
      answers[index].unheard = []
      if answers[index].subscription.since != nil { answers[index].recovered = answers[index].recovered ?? false }
    }
    return confirmHeard()
  }
}
