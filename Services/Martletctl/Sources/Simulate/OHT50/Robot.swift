import Models

/// A robot on its rail as a pure state machine: simulated time goes in, events come out, and the same seed tells the same story.
struct Robot: Sendable {
  private struct Mission: Sendable {
    let id: String
    let start: Double
    let target: Double
    var seconds = 0.0

    var length: Double { abs(target - start) }
  }

  private enum Activity: Sendable {
    case resting(remainingSeconds: Double)
    case driving(Mission)
    case stopped(remainingSeconds: Double, by: Trigger)
  }

  /// What stopped it.
  enum Trigger: String, Sendable { case hardware, remote }

  /// On the rail, in its own units; velocity in units a second.
  private static let rail = (start: 0.0, end: 1250.5)
  private static let speed = 8.0
  /// Until somebody clears a stop.
  private static let stopSeconds = 30.0

  private var random: SeededGenerator
  /// How likely something goes otherwise than planned, each second.
  private let troubleRate: Double
  private var activity = Activity.resting(remainingSeconds: 3)
  private var position = RobotEvent.Position()
  private var velocity = 0.0
  private var zone: RobotZone?
  private var battery = 95.0
  private var uptime_s = 0.0
  private var failedModule: RobotModule?
  private var configuration = 2
  private var (missions, stops) = (0, 0)

  /// - Parameter troublesPerHour: errors, module failures, changes of configuration and pressed e-stops.
  init(seed: UInt64, troublesPerHour: Double = 20) {
    random = SeededGenerator(seed: seed)
    troubleRate = troublesPerHour / 3600
  }

  /// Missions that have ended, well or not.
  private(set) var missionsEnded = 0

  var status: RobotEvent {
    let (status, state) =
      switch activity {
      case .resting: ("idle", failedModule == nil ? "ready" : "error")
      case .driving: ("moving", failedModule == nil ? "busy" : "error")
      case .stopped: ("estop", "error")
      }
    return .status(status, state: state, uptime_s: uptime_s, temperature_c: temperature_c)
  }

  var telemetry: RobotEvent {
    .telemetry(position, velocity: velocity, acceleration: 0, battery: battery, temperature_c: temperature_c)
  }

  private var temperature_c: Double { 38 + velocity / 2 }

  mutating func powerOn() -> [RobotEvent] { RobotModule.all.map(RobotEvent.discovered) + [status] }

  /// Stops it, wherever it is. One that stands by a stop already stands for longer.
  mutating func stop(_ trigger: Trigger) -> [RobotEvent] {
    stops += 1
    velocity = 0
    var events: [RobotEvent] = [.estop("estop-\(padded(stops))", trigger: trigger.rawValue, at: position)]
    if case .driving(let mission) = activity { events.append(ended(mission, "cancelled")) }
    activity = .stopped(remainingSeconds: Self.stopSeconds, by: trigger)
    return events + [status]
  }

  /// Lets simulated time pass, in pieces of a second at most.
  mutating func advance(seconds: Double, now: Timestamp) -> [RobotEvent] {
    var (rest, events): (Double, [RobotEvent]) = (seconds, [])
    while rest > 0 {
      let piece = min(rest, 1)
      events += live(piece, now) + trouble(piece)
      rest -= piece
    }
    if case .driving(let mission) = activity { events.append(progress(of: mission, now)) }
    return events
  }

  private mutating func live(_ seconds: Double, _ now: Timestamp) -> [RobotEvent] {
    uptime_s += seconds
    switch activity {
    case .resting(let remaining) where remaining > seconds:
      activity = .resting(remainingSeconds: remaining - seconds)
      battery = min(100, battery + seconds / 60)
      return []
    case .resting: return begin()
    case .stopped(let remaining, let trigger) where remaining > seconds:
      activity = .stopped(remainingSeconds: remaining - seconds, by: trigger)
      return []
    case .stopped(_, let trigger):
      activity = .resting(remainingSeconds: 5)
      return [.clear(by: trigger == .remote ? "operator" : "system", at: position, next: "resume"), status]
    case .driving(let mission): return drive(mission, seconds)
    }
  }

  // MARK: Missions

  private mutating func begin() -> [RobotEvent] {
    missions += 1
    let target = position.x < Self.rail.end / 2 ? Self.rail.end : Self.rail.start
    let mission = Mission(id: "mission-\(padded(missions))", start: position.x, target: target)
    activity = .driving(mission)
    let type = ["transport", "inspection", "maintenance"].randomElement(using: &random) ?? "transport"
    var end = RobotEvent.Position()
    end.x = target
    return [.started(mission.id, type: type, from: position, to: end, seconds: mission.length / Self.speed), status]
  }

  private mutating func drive(_ mission: Mission, _ seconds: Double) -> [RobotEvent] {
    var mission = mission
    mission.seconds += seconds
    velocity = Self.speed * (zone?.speed ?? 1)
    battery = max(5, battery - seconds / 120)
    let distance = min(velocity * seconds, abs(mission.target - position.x))
    position.x += mission.target > position.x ? distance : -distance
    activity = .driving(mission)
    let events = enter(RobotZone.all.first { $0.stretch.contains(position.x) })
    guard position.x == mission.target else { return events }
    velocity = 0
    activity = .resting(remainingSeconds: .random(in: 5...20, using: &random))
    return events + [ended(mission, "success"), status]
  }

  private mutating func enter(_ new: RobotZone?) -> [RobotEvent] {
    defer { zone = new }
    guard let new, new != zone else { return [] }
    return [.zone(new, at: position)]
  }

  private mutating func ended(_ mission: Mission, _ status: String) -> RobotEvent {
    missionsEnded += 1
    return .completed(
      mission.id, status: status, seconds: mission.seconds, at: position, distance: abs(position.x - mission.start))
  }

  private func progress(of mission: Mission, _ now: Timestamp) -> RobotEvent {
    let rest = abs(mission.target - position.x)
    let percent = mission.length > 0 ? (1 - rest / mission.length) * 100 : 100
    return .progress(mission.id, percent: percent, at: position, distance: rest, completion: now + .seconds(rest / Self.speed))
  }

  // MARK: What goes otherwise than planned

  private mutating func trouble(_ seconds: Double) -> [RobotEvent] {
    guard random.chance(troubleRate * seconds) else { return [] }
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4: return moduleTrouble()
    case 4..<6:
      configuration += 1
      return [
        .updated(
          "config-\(padded(configuration))", version: "1.2.\(configuration)",
          [("max_velocity", "1.5 -> 2.0"), ("safety_zones", "added zone-001")])
      ]
    case 6 where configuration > 0:
      configuration -= 1
      return [.rollback(from: "1.2.\(configuration + 1)", to: "1.2.\(configuration)")]
    case 6..<9:
      return [
        .error("SYS-001", "Database Connection Failed", severity: "P0", "Cannot connect to database", services: ["api", "telemetry"])
      ]
    default:
      if case .stopped = activity { return [] }
      return stop(.hardware)
    }
  }

  private mutating func moduleTrouble() -> [RobotEvent] {
    if let module = failedModule {
      failedModule = nil
      return [.module(module, works: true)]
    }
    guard let module = RobotModule.all.randomElement(using: &random) else { return [] }
    failedModule = module
    return [.module(module, works: false)]
  }

  private func padded(_ number: Int) -> String { String(repeating: "0", count: max(0, 3 - String(number).count)) + String(number) }
}
