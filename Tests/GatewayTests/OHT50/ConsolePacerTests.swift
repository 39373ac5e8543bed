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
    fast.goOn(from: slow)
    #expect(fast.waiting == [2, 22] && fast.next == start + .seconds(1))
    #expect(fast.takeDue(at: start + .seconds(1)) == [2])
    #expect(fast.offer(3, 0, at: start + .milliseconds(1500)) == false)
    #expect(fast.takeDue(at: start + .seconds(20)) == [3, 22])
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
    // An error says something else each time.
    #expect(interval("system.error", interests) == .zero)
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
