import Models
import Testing

@testable import Gateway

@Suite struct ConsolePacerTests {
  private typealias Instant = ContinuousClock.Instant
  private let start = Instant.now

  private func pacer(_ intervals: Duration?...) -> ConsolePacer<Int> {
    var pacer = ConsolePacer<Int>()
    for interval in intervals { pacer.add(interval: interval) }
    return pacer
  }

  @Test func `Nothing comes more often than its interval, and the last one always comes`() {
    var pacer = pacer(.milliseconds(100))
    var told: [(at: Int, frame: Int)] = []
    for milli in 0..<1050 {
      let now = start + .milliseconds(milli)
      if pacer.next.map({ $0 <= now }) ?? false { told += pacer.takeDue(at: now).map { (milli, $0) } }
      if milli < 1000, pacer.offer(milli, 0, at: now) { told.append((milli, milli)) }
    }
    #expect(told.map(\.at) == Array(stride(from: 0, through: 1000, by: 100)))
    #expect(told.last?.frame == 999)
    #expect(zip(told, told.dropFirst()).allSatisfy { $0.frame < $1.frame })
    #expect(pacer.next == nil && pacer.supersededCount == 1000 - told.count)
  }

  @Test func `Types do not wait for each other, and one that is not wanted never comes`() {
    var pacer = pacer(.seconds(10), .zero, nil)
    let places = [0, 0, 1, 1, 1, 2]
    let went = places.enumerated().map { frame, place in pacer.offer(frame, place, at: start) }
    #expect(went == [true, false, true, true, true, false])
    #expect(!pacer.wants(2) && !pacer.isDue(2, at: start))
    #expect(pacer.takeDue(at: start + .seconds(9)) == [])
    #expect(pacer.takeDue(at: start + .seconds(10)) == [1])
  }

  @Test func `What is urgent goes at once, and what waited before it is not told after it`() {
    var pacer = pacer(.seconds(1))
    let went = [true, false, true].enumerated().map { frame, isUrgent in
      pacer.offer(frame, 0, isUrgent: isUrgent, at: start + .milliseconds(frame))
    }
    #expect(went == [true, false, true] && pacer.next == nil)
    #expect(pacer.takeDue(at: start + .seconds(9)) == [])
  }

  @Test func `Another rate counts from the last one that went, and loses nothing that waits`() {
    var slow = pacer(.seconds(10), .seconds(10), .seconds(10))
    for place in 0..<3 { for frame in 1...2 { _ = slow.offer(frame + 10 * place, place, at: start) } }
    var fast = pacer(.seconds(1), nil, .seconds(20))
    fast.goOn(from: slow) { [.seconds(1), nil, .seconds(20)][$0 / 10] }
    #expect(fast.waiting == [2, 22] && fast.next == start + .seconds(1))
    #expect(fast.takeDue(at: start + .seconds(1)) == [2])
    #expect(fast.offer(3, 0, at: start + .milliseconds(1500)) == false)
    #expect(fast.takeDue(at: start + .seconds(20)) == [22, 3])
  }

  /// A pacer whose places are these types, each at most every so many milliseconds.
  private func pacer(_ types: KeyValuePairs<String, Int>) -> ConsolePacer<Int> {
    var pacer = ConsolePacer<Int>()
    for (type, interval_ms) in types { pacer.add(interval: .milliseconds(interval_ms), line: ConsoleLine(of: Samples.type(type))) }
    return pacer
  }

  @Test func `What comes later of a family waits for what waits, and is told after it`() {
    var pacer = pacer(["config.updated": 10_000, "config.rollback": 10_000, "mission.started": 200])
    func offer(_ frame: Int, _ place: Int) -> Bool { pacer.offer(frame, place, at: start + .seconds(frame)) }
    #expect([offer(0, 0), offer(5, 0), offer(6, 1), offer(7, 2)] == [true, false, false, true])
    #expect(!pacer.isDue(1, at: start + .seconds(9)) && pacer.next == start + .seconds(10))
    #expect(pacer.takeDue(at: start + .seconds(9)) == [] && pacer.takeDue(at: start + .seconds(10)) == [5, 6])
    // A newer one takes its place at the end.
    #expect([offer(11, 0), offer(12, 1), offer(13, 0)] == [false, false, false] && pacer.supersededCount == 1)
    #expect(pacer.waiting == [12, 13] && pacer.takeDue(at: start + .seconds(20)) == [12, 13] && pacer.next == nil)
    // None is held up by what has gone.
    #expect(offer(40, 1) && offer(41, 0))
  }

  @Test func `A mission's progress that waits gives way to what comes later, and does not overtake what waits`() {
    var pacer = pacer(["mission.progress": 200, "mission.completed": 200, "system.status": 1000, "system.error": 0])
    func offer(_ frame: Int, _ place: Int) -> Bool { pacer.offer(frame, place, at: start + .milliseconds(frame)) }
    #expect([offer(0, 0), offer(100, 0), offer(150, 1)] == [true, false, true] && pacer.next == nil && pacer.supersededCount == 1)
    #expect([offer(210, 1), offer(220, 0)] == [false, false] && pacer.next == start + .milliseconds(350))
    #expect(pacer.takeDue(at: start + .milliseconds(350)) == [210, 220])
    #expect([offer(360, 0), offer(370, 1)] == [false, false])
    #expect(pacer.takeDue(at: start + .milliseconds(600)) == [360, 370])
    // It waits for its own rate, and the end of the mission does not wait for it.
    var slow = self.pacer(["mission.progress": 10_000, "mission.completed": 200])
    #expect([0, 0, 1, 1].enumerated().map { slow.offer($0, $1, at: start) } == [true, false, true, false])
    #expect(slow.offer(4, 0, at: start) == false && slow.takeDue(at: start + .milliseconds(200)) == [3] && slow.waiting == [4])
    // How a robot is stands beside its errors.
    #expect([offer(1000, 2), offer(1100, 2), offer(1200, 3)] == [true, false, true] && pacer.waiting == [1100])
  }

  @Test func `What is urgent takes the place of what waits in its family`() {
    var pacer = pacer(["safety.estop": 1000, "safety.clear": 1000])
    let went = [(0, true), (0, false), (1, true), (0, true), (1, true), (1, false)].enumerated().map { frame, event in
      pacer.offer(frame, event.0, isUrgent: event.1, at: start + .milliseconds(frame))
    }
    #expect(went == [true, false, true, true, true, false] && pacer.waiting == [5])
  }

  @Test func `Of types that share a place none comes more often than it may, and the newest of them all always`() {
    var pacer = pacer(.seconds(10))
    func offer(_ frame: Int, everyMilliseconds interval_ms: Int) -> Bool {
      pacer.pace(0, by: .milliseconds(interval_ms))
      return pacer.offer(frame, 0, at: start + .milliseconds(frame))
    }
    #expect([offer(0, everyMilliseconds: 100), offer(50, everyMilliseconds: 1000)] == [true, false])
    // It takes the place of the one that waits, and goes as soon as it may itself.
    #expect(!offer(200, everyMilliseconds: 100) && pacer.next == start + .milliseconds(100))
    #expect(pacer.takeDue(at: start + .milliseconds(200)) == [200])
    #expect(!offer(300, everyMilliseconds: 1000) && pacer.takeDue(at: start + .milliseconds(1199)) == [])
    #expect(pacer.takeDue(at: start + .milliseconds(1200)) == [300] && pacer.supersededCount == 1)
    // What waits goes on by its own interval, not by that of the first that came.
    #expect(!offer(1300, everyMilliseconds: 500))
    var next = self.pacer(.seconds(20))
    next.goOn(from: pacer) { _ in .milliseconds(300) }
    #expect(next.next == start + .milliseconds(1500) && next.waiting == [1300])
    var deaf = self.pacer(nil)
    deaf.goOn(from: pacer) { _ in nil }
    #expect(deaf.waiting == [])
  }

  @Test func `Where there is no room, the newest of each type goes when there is`() {
    var pacer = pacer(.zero)
    let later = start + .milliseconds(5)
    let went = [pacer.offer(1, 0, earliest: later, at: start), pacer.offer(2, 0, at: start)]
    #expect(went == [false, false] && pacer.next == later)
    #expect(pacer.takeDue(at: later) == [2])
    #expect(pacer.offer(3, 0, at: later) == true)
  }
}

@Suite struct ConsoleInterestsTests {
  private let robot = Samples.id("OHT-1")

  private func subscription(_ patterns: [String], rate: Double? = nil, _ robot: ApplianceID? = nil) throws -> OHT50Subscription {
    let members = [
      #""type":"subscribe","events":["# + patterns.map { "\"\($0)\"" }.joined(separator: ",") + "]", rate.map { "\"rate\":\($0)" },
      robot.map { "\"appliance_id\":\"\($0)\"" },
    ]
    guard
      case .subscribe(let subscription) = try OHT50ClientMessage(
        parsing: Array("{\(members.compactMap(\.self).joined(separator: ","))}".utf8))
    else { throw OHT50Refusal.tooManyEvents }
    return subscription
  }

  private func interval(_ type: String, _ interests: ConsoleInterests, of robot: ApplianceID? = nil) -> Duration? {
    interests.view(of: robot ?? self.robot, permitted: .everything).interval(of: Samples.type(type))
  }

  @Test func `A type comes as often as the document's table and the console allow`() throws {
    var interests = ConsoleInterests()
    try interests.subscribe(subscription(["*"]))
    for (type, expected) in [
      ("telemetry.realtime", Duration.milliseconds(100)), ("system.status", .seconds(1)), ("mission.progress", .milliseconds(200)),
      ("config.updated", .seconds(10)), ("safety.estop", .seconds(1)), ("system.error", .zero), ("mission.paused", .milliseconds(200)),
    ] { #expect(interval(type, interests) == expected, "\(type)") }
    #expect(interval("cooking:progress", interests) == nil)
    try interests.subscribe(subscription(["telemetry.*", "system.*"], rate: 0.5))
    #expect(interval("telemetry.realtime", interests) == .seconds(2) && interval("system.status", interests) == .seconds(2))
    #expect(interval("system.error", interests) == .seconds(2) && interval("system.paused", interests) == .seconds(2))
    #expect(interval("module.status_change", interests) == .zero)
    // Safety waits for nothing but a repeat's second.
    try interests.subscribe(subscription(["module.*", "safety.*", "config.*"], rate: 0.2))
    for (type, expected_s) in [("module.status_change", 5), ("module.discovered", 5), ("safety.estop", 1), ("config.updated", 10)] {
      #expect(interval(type, interests) == .seconds(expected_s), "\(type)")
    }
    try interests.subscribe(subscription(["telemetry.realtime"], rate: 1000))
    #expect(interval("telemetry.realtime", interests) == .milliseconds(100))
  }

  @Test func `The last word on a type counts`() throws {
    var interests = ConsoleInterests()
    try interests.subscribe(subscription(["mission.*"]))
    interests.unsubscribe([try OHT50Pattern("mission.progress")], from: nil)
    #expect(interval("mission.progress", interests) == nil && interval("mission.started", interests) != nil)
    try interests.subscribe(subscription(["mission.progress"], robot))
    #expect(interval("mission.progress", interests) != nil && interval("mission.progress", interests, of: Samples.id("OHT-2")) == nil)
    interests.unsubscribe([try OHT50Pattern("*")], from: nil)
    #expect(interests.view(of: robot, permitted: .everything).isEmpty && interests.named.isEmpty && !interests.isGeneral)
  }

  @Test func `The rate of telemetry is what was asked for last`() throws {
    var interests = ConsoleInterests()
    try interests.subscribe(subscription(["telemetry.realtime", "system.status"], rate: 1))
    interests.setTelemetryRate(4)
    #expect(interval("telemetry.realtime", interests) == .milliseconds(250) && interval("system.status", interests) == .seconds(1))
    #expect(interests.view(of: robot, permitted: .everything).telemetryRate == 4)
    interests.setTelemetryRate(1000)
    #expect(interests.view(of: robot, permitted: .everything).telemetryRate == 10)
    try interests.subscribe(subscription(["telemetry.realtime"], rate: 2))
    #expect(interval("telemetry.realtime", interests) == .milliseconds(500))
  }

  @Test func `There is an end to patterns, and what is refused changes nothing`() throws {
    var interests = ConsoleInterests()
    for number in 0..<ConsoleInterests.patternsMax {
      try interests.subscribe(subscription(["mission.*"], rate: 1, Samples.id("R-\(number)")))
    }
    let refusal = #expect(throws: OHT50Refusal.self) { try interests.subscribe(subscription(["safety.*"])) }
    #expect(refusal?.code == .rateLimitExceeded && !interests.isGeneral)
    for _ in 0..<10 { try interests.subscribe(subscription(["mission.*"], rate: 2, Samples.id("R-0"))) }
  }
}

@Suite struct ConsolePlacesTests {
  @Test func `The document's types and sixty-four of a robot's own have a place each, and the others one for each family`() {
    var (places, addedCount) = (ConsolePlaces(), 0)
    func place(_ name: String, _ family: OHT50Family) -> ConsolePlaces.Place {
      places.place(of: Samples.type("\(family).\(name)"), in: family) { addedCount += 1 }
    }
    let own = (0..<64).map { place("own\($0)", .module) }
    #expect(own.map(\.index) == Array(14..<78) && !own.contains(where: \.isShared) && addedCount == 64)
    let others = [place("a", .module), place("b", .module), place("c", .safety), place("d", .safety)]
    #expect(others.map(\.index) == [78, 78, 79, 79] && others.allSatisfy(\.isShared) && addedCount == 66)
    #expect(place("own5", .module) == own[5] && place("discovered", .module).index < 14 && addedCount == 66)
    #expect(places.types.count == 80 && places.types[78] == Samples.type("module.a"))
  }
}

@Suite struct ConsoleCensusTests {
  private let robot = Samples.id("OHT-1")
  private let now = ContinuousClock.now

  @Test func `Consoles are counted over all replicas, up to the limit`() {
    let (first, second) = (ConsoleCensus(replica: "a"), ConsoleCensus(replica: "b"))
    #expect(first.enter(robot, limit: 3, now: now) && first.enter(robot, limit: 3, now: now))
    for message in first.messages(ofEverything: false) {
      second.heard(message, now: now)
      first.heard(message, now: now)
    }
    #expect(second.count(of: robot, now: now) == 2 && first.count(of: robot, now: now) == 2)
    #expect(second.enter(robot, limit: 3, now: now) && !second.enter(robot, limit: 3, now: now))
    #expect(first.messages(ofEverything: false).isEmpty && first.messages(ofEverything: true).count == 1)
    first.leave(robot)
    for message in first.messages(ofEverything: false) { second.heard(message, now: now) }
    #expect(second.count(of: robot, now: now) == 2)
  }

  @Test func `A replica that is silent is forgotten, and nonsense is none of its words`() {
    let census = ConsoleCensus(replica: "a")
    census.heard(Array("b\nOHT-1 7".utf8), now: now)
    for nonsense in ["", "b", "c\nOHT-1", "c\nOHT-1 -1", "c\nOHT 1 2", "c\n/ 5", "\u{0}"] { census.heard(Array(nonsense.utf8), now: now) }
    #expect(census.count(of: robot, now: now + .seconds(11)) == 7 && census.count(of: robot, now: now + .seconds(12)) == 0)
    census.forgetSilent(now: now + .seconds(12))
    #expect(census.enter(robot, limit: 1, now: now))
  }
}
