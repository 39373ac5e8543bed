import Access
import Commands
import EventLog
import Models
import Testing

@testable import Gateway

@Suite struct ConsoleSessionMachineTests {
  typealias Machine = ConsoleSessionMachine
  private let first = Samples.id("OHT-1")
  private let second = Samples.id("OHT-2")
  private let ann = Principal(subject: "ann", expiresAt: Samples.time + .seconds(900))
  private let now = Samples.time

  private func frame(_ text: String) -> Machine.Input { .frame(Array(text.utf8)) }

  private func machine(_ hello: Machine.Hello = .init()) -> Machine {
    var number = 0
    return Machine(hello, limits: SessionLimits(), now: now) {
      number += 1
      return "c-\(number)"
    }
  }

  /// Let in, and told which robots there are.
  private func entered(_ robots: ApplianceID..., hello: Machine.Hello = .init(token: "t")) -> Machine {
    var machine = machine(hello)
    #expect(machine.handle(.checked(.entry, .admitted(ann)), now: now).contains(.look(ann, [hello.robot].compactMap(\.self))))
    _ = machine.handle(.view(.init(robots: robots)), now: now)
    return machine
  }

  private func errors(_ actions: [Machine.Action]) -> [OHT50Refusal] {
    actions.compactMap { action in
      switch action {
      case .send(.error(let refusal)), .refuse(let refusal): refusal
      default: nil
      }
    }
  }

  private func acks(_ actions: [Machine.Action]) -> [OHT50CommandAck] {
    actions.compactMap { if case .send(.commandAck(let ack)) = $0 { ack } else { nil } }
  }

  // MARK: Coming in

  @Test func `A token is brought in-band within ten seconds, and what is said behind it waits`() {
    var machine = machine()
    #expect(machine.begin() == [.check(.entry, token: nil)])
    #expect(machine.handle(frame(#"{"type":"auth","token":"t"}"#), now: now).isEmpty)
    #expect(machine.handle(frame(#"{"type":"subscribe","events":["mission.*"],"rate":10}"#), now: now).isEmpty)
    #expect(machine.handle(.checked(.entry, .refused(.authenticationRequired)), now: now) == [.check(.entry, token: "t")])
    let told = machine.handle(.checked(.entry, .admitted(ann)), now: now)
    #expect(told == [.send(.authenticated(expiresAt: ann.expiresAt, clientID: nil)), .look(ann, [])])
    let actions = machine.handle(.view(.init(robots: [first])), now: now)
    guard case .join(first, _) = actions.first, actions.count == 1 else { return #expect(Bool(false), "\(actions)") }
    let live = machine.handle(.live(first, position: .zero), now: now)
    guard case .send(.subscribed(let subscription, recovered: nil)) = live.first else { return #expect(Bool(false), "\(live)") }
    #expect(subscription.rate_hz == 10)
    #expect(live.last == .deliver(first, Recovery(nothingUpTo: .zero)))
  }

  @Test(arguments: [#"{"type":"subscribe","events":["*"]}"#, "nonsense", #"{"type":"auth"}"#])
  func `What comes instead of a token is refused in the document's words`(text: String) {
    var machine = machine()
    _ = machine.handle(.checked(.entry, .refused(.authenticationRequired)), now: now)
    let actions = machine.handle(frame(text), now: now)
    #expect(errors(actions).map(\.code) == [.authenticationFailed] && actions.last == .close(.refused(.authenticationRequired)))
    var late = self.machine()
    _ = late.handle(.checked(.entry, .refused(.authenticationRequired)), now: now)
    #expect(late.handle(.tick, now: now + .seconds(10)).isEmpty)
    #expect(late.handle(.tick, now: now + .seconds(11)).last == .close(.refused(.authenticationRequired)))
  }

  @Test(arguments: AccessError.allCases) func `A bad token is told by WS-001, and then closed`(error: AccessError) {
    var machine = machine(.init(token: "bad"))
    let actions = machine.handle(.checked(.entry, .refused(error)), now: now)
    #expect(
      actions == [.send(.error(OHT50Refusal(code: .authenticationFailed, description: error.text))), .close(.refused(error))])
    var down = self.machine(.init(token: "t"))
    #expect(down.handle(.checked(.entry, .unavailable), now: now) == [.close(.tokenCannotBeChecked)])
  }

  @Test func `A token is told of before its end, renewed in-band, and ends the connection otherwise`() {
    var machine = entered(first)
    let end = ann.expiresAt
    #expect(machine.handle(.tick, now: end + .seconds(-60)).first == .send(.tokenExpiring(expiresAt: end)))
    #expect(machine.handle(frame(#"{"type":"auth","token":"u"}"#), now: now) == [.check(.renewal, token: "u")])
    let longer = Principal(subject: "ann", expiresAt: end + .seconds(900))
    let renewed = machine.handle(.checked(.renewal, .admitted(longer)), now: now)
    #expect(renewed.first == .send(.authenticated(expiresAt: longer.expiresAt, clientID: nil)))
    _ = machine.handle(frame(#"{"type":"auth","token":"v"}"#), now: now)
    let foreign = machine.handle(.checked(.renewal, .admitted(Principal(subject: "bob", expiresAt: end))), now: now)
    #expect(errors(foreign).map(\.code) == [.authenticationFailed])
    let over = machine.handle(.tick, now: longer.expiresAt)
    #expect(errors(over).map(\.description) == ["Invalid or expired token"] && over.last == .close(.refused(.invalidOrExpiredToken)))
  }

  // MARK: Robots

  @Test func `Every robot of the user is watched, and the subscription is confirmed once all are heard`() {
    var machine = entered(first, second)
    let joins = machine.handle(frame(#"{"type":"subscribe","events":["*"]}"#), now: now)
    #expect(joins.count == 2)
    #expect(machine.handle(.live(second, position: .zero), now: now) == [.deliver(second, Recovery(nothingUpTo: .zero))])
    let confirmed = machine.handle(.live(first, position: .zero), now: now)
    #expect(confirmed.count == 2 && errors(confirmed).isEmpty)
    // One that cannot be heard holds nothing up for long.
    var waiting = entered(first)
    _ = waiting.handle(frame(#"{"type":"subscribe","events":["*"]}"#), now: now)
    #expect(waiting.handle(.tick, now: now + .seconds(3)).isEmpty)
    #expect(waiting.handle(.tick, now: now + .seconds(4)).count == 1)
  }

  @Test func `What the user may see follows every change`() {
    var machine = entered(first)
    _ = machine.handle(frame(#"{"type":"subscribe","events":["*"]}"#), now: now)
    _ = machine.handle(.live(first, position: .zero), now: now)
    #expect(machine.handle(.accessChanged(.appliance(second)), now: now) == [.look(ann, [])])
    let actions = machine.handle(.view(.init(robots: [second])), now: now)
    guard actions.count == 2, actions[0] == .leave(first), case .join(second, _) = actions[1] else {
      return #expect(Bool(false), "\(actions)")
    }
    let revoked = machine.handle(.accessChanged(.token("j", ofUser: "ann")), now: now)
    #expect(revoked == [.look(ann, [])])
    #expect(machine.handle(.view(.init(refusal: .tokenRevoked)), now: now).last == .close(.refused(.tokenRevoked)))
  }

  @Test func `A robot that is named is looked up before what follows is taken, and a foreign one is told`() {
    var machine = entered()
    let named = #"{"type":"subscribe","events":["*"],"appliance_id":"OHT-9"}"#
    let ninth = Samples.id("OHT-9")
    #expect(machine.handle(frame(named), now: now) == [.look(ann, [ninth])])
    #expect(machine.handle(frame(#"{"type":"ping"}"#), now: now).isEmpty)
    let refused = machine.handle(.view(.init(asked: [ninth])), now: now)
    #expect(refused == [.refuse(.unknownRobot(ninth)), .send(.pong)])
    var other = entered()
    _ = other.handle(frame(named), now: now)
    guard case .join(ninth, _) = other.handle(.view(.init(asked: [ninth], named: [ninth])), now: now).first else {
      return #expect(Bool(false))
    }
    _ = other.handle(.live(ninth, position: .zero), now: now)
    _ = other.handle(.accessChanged(.everything), now: now)
    #expect(other.handle(.view(.init(asked: [ninth])), now: now) == [.leave(ninth), .send(.error(.unknownRobot(ninth)))])
  }

  @Test func `A robot that enough consoles watch is told as full`() {
    var machine = entered(first)
    _ = machine.handle(frame(#"{"type":"subscribe","events":["*"]}"#), now: now)
    let actions = machine.handle(.full(first, consolesMax: 100), now: now)
    #expect(errors(actions).map(\.code) == [.rateLimitExceeded] && actions.count == 2)
  }

  @Test func `Who names the last event gets what was missed and is wanted, or is told that it is gone`() {
    let past = [Samples.event("mission.started", 6, of: first), Samples.event("config.updated", 7, of: first)]
    let state = [Samples.event("telemetry.realtime", 8, of: first), Samples.event("mission.progress", 9, of: first)]
    for isComplete in [true, false] {
      var machine = entered(first)
      _ = machine.handle(frame(#"{"type":"subscribe","events":["mission.*"],"since":"5-0"}"#), now: now)
      let since = EventID(milliseconds: 5, sequence: 0)
      #expect(
        machine.handle(.live(first, position: EventID(milliseconds: 9, sequence: 0)), now: now) == [
          .readLog(first, attempt: 1, since: since)
        ])
      let reading = LogReading(state: state, history: .init(events: past, isComplete: isComplete))
      let actions = machine.handle(.log(first, attempt: 1, reading), now: now)
      guard case .send(.subscribed(_, recovered: isComplete)) = actions.first, case .deliver(first, let recovery) = actions.last else {
        return #expect(Bool(false), "\(actions)")
      }
      #expect(recovery.missed.map(\.type.rawValue) == (isComplete ? ["mission.started", "mission.progress"] : []))
    }
    // The ids of several robots do not tell their order.
    var several = entered(first, second)
    _ = several.handle(frame(#"{"type":"subscribe","events":["*"],"since":"5-0"}"#), now: now)
    _ = several.handle(.live(first, position: .zero), now: now)
    guard case .send(.subscribed(_, recovered: false)) = several.handle(.live(second, position: .zero), now: now).first else {
      return #expect(Bool(false))
    }
  }

  // MARK: Messages

  @Test func `Nonsense is answered, and too much of it ends the connection`() {
    var machine = entered(first)
    for number in 0..<20 {
      let refused = machine.handle(frame(#"{"type":"subscribe","events":["**"]}"#), now: now + .milliseconds(60 * number))
      #expect(errors(refused).map(\.description) == ["Unknown event type: **"])
    }
    let last = machine.handle(frame("{"), now: now + .milliseconds(1260))
    #expect(last == [.close(.broken("Too many errors"))])
  }

  @Test func `Who sends too much is told by WS-003, but a stop is never too much`() {
    var machine = entered(first)
    for _ in 0..<50 { #expect(machine.handle(frame(#"{"type":"ping"}"#), now: now) == [.send(.pong)]) }
    #expect(errors(machine.handle(frame(#"{"type":"ping"}"#), now: now)) == [.tooManyEvents])
    let stop = machine.handle(frame(#"{"type":"emergency_stop"}"#), now: now)
    #expect(stop == [.askPermission(ann, first, commandID: "c-1")])
  }

  @Test func `Questions are answered for the robots that are meant`() {
    var machine = entered(first, second)
    let question = Machine.StateQuestion.systemStatus(requestID: "r")
    #expect(machine.handle(frame(#"{"type":"get_system_status","request_id":"r"}"#), now: now) == [.askStates(question, [first, second])])
    let status = Samples.event("system.status", 1, of: first)
    let answers = machine.handle(
      .states(
        question,
        [
          .init(robot: first, systemStatus: status, telemetry: nil, consoles: 0),
          .init(robot: second, systemStatus: nil, telemetry: nil, consoles: 0),
        ]), now: now)
    #expect(answers == [.send(.systemStatus(status, requestID: "r")), .send(.error(.noStatus(second)))])
  }

  @Test func `What is said of telemetry is true`() {
    var machine = entered(first)
    _ = machine.handle(frame(#"{"type":"subscribe","events":["telemetry.realtime"]}"#), now: now)
    _ = machine.handle(.live(first, position: .zero), now: now)
    #expect(
      machine.handle(frame(#"{"type":"set_telemetry_rate","rate":5}"#), now: now).last == .askStates(.telemetryStatus, [first]))
    var telemetry = Samples.event("telemetry.realtime", 0, of: first)
    for (age_s, streams) in [(4, true), (6, false)] {
      telemetry.id = EventID(milliseconds: UInt64((now + .seconds(-age_s)).microseconds / 1000), sequence: 0)
      let state = Machine.RobotState(robot: first, systemStatus: nil, telemetry: telemetry, consoles: 3)
      let expected = OHT50TelemetryStatus(isStreaming: streams, rate_hz: 5, connectedClients: 3, lastUpdate: telemetry.timestamp)
      #expect(machine.handle(.states(.telemetryStatus, [state]), now: now) == [.send(.telemetryStatus(expected, first))])
    }
  }

  // MARK: Stops

  private func accepted(_ id: String, _ robot: ApplianceID) -> Machine.Input {
    .answered(
      commandID: id,
      .accepted(Command(id: id, applianceID: robot, type: .emergencyStop, issuedAt: now, expiresAt: now + .seconds(10))))
  }

  @Test func `A stop without a name goes to every robot that may be stopped, and the answer lists them before any outcome`() {
    var machine = entered(first, second)
    let stop = machine.handle(frame(#"{"type":"emergency_stop","request_id":"r"}"#), now: now)
    #expect(stop == [.askPermission(ann, first, commandID: "c-1"), .askPermission(ann, second, commandID: "c-2")])
    let asked = machine.handle(.grant(first, commandID: "c-1", .granted(.operate)), now: now)
    guard case .command(.listen) = asked.first, case .command(.request(_, .operate, userID: "ann")) = asked.last else {
      return #expect(Bool(false), "\(asked)")
    }
    #expect(acks(machine.handle(accepted("c-1", first), now: now)).isEmpty)
    let done = CommandOutcome.acknowledged("c-1", .emergencyStop, by: first, message: nil, at: now)
    #expect(acks(machine.handle(.outcome(commandID: "c-1", [done]), now: now)).isEmpty)
    _ = machine.handle(.grant(second, commandID: "c-2", .granted(.watch)), now: now)
    let refusal = CommandFailure(commandID: "c-2", type: .emergencyStop, code: .notPermitted, message: "no")
    let told = acks(machine.handle(.answered(commandID: "c-2", .failed(refusal)), now: now))
    #expect(told.map(\.status) == [.requested, .acknowledged] && told.allSatisfy { $0.requestID == "r" })
    #expect(told.first?.targets == [.init(first, "c-1")])
  }

  @Test func `Who may stop nothing is told in the document's way and in ours`() {
    var machine = entered(first)
    _ = machine.handle(frame(#"{"type":"emergency_stop","request_id":"r","appliance_id":"OHT-1"}"#), now: now)
    let actions = machine.handle(.grant(first, commandID: "c-1", .refused), now: now)
    #expect(errors(actions).map(\.code) == [.invalidEventType])
    #expect(acks(actions).map(\.code) == ["NOT_PERMITTED"] && acks(actions).first?.requestID == "r")
  }

  @Test func `A stop that was said before anything is known waits for nothing`() {
    var machine = machine(.init(token: "t"))
    #expect(machine.handle(frame(#"{"type":"emergency_stop"}"#), now: now).isEmpty)
    let actions = machine.handle(.checked(.entry, .admitted(ann)), now: now)
    let stop = Machine.PendingStop(reason: nil, requestID: nil)
    #expect(actions.contains(.findRobots(stop, ann)))
    #expect(machine.handle(.found(stop, [first]), now: now) == [.askPermission(ann, first, commandID: "c-1")])
    #expect(acks(machine.handle(.found(stop, nil), now: now)).map(\.code) == ["TEMPORARILY_UNAVAILABLE"])
    #expect(acks(machine.handle(.found(stop, []), now: now)).map(\.code) == ["NOT_PERMITTED"])
  }

  @Test func `A stop whose time is over is told as failed`() {
    var machine = entered(first)
    _ = machine.handle(frame(#"{"type":"emergency_stop"}"#), now: now)
    _ = machine.handle(.grant(first, commandID: "c-1", .granted(.own)), now: now)
    _ = machine.handle(accepted("c-1", first), now: now)
    let expiring = machine.handle(.tick, now: now + .seconds(12))
    #expect(expiring.contains { if case .command(.expire) = $0 { true } else { false } })
    let failed = machine.handle(.expired(.timeout("c-1", .emergencyStop, wasSent: true)), now: now + .seconds(12))
    #expect(acks(failed).map(\.code) == ["COMMAND_TIMEOUT"])
  }
}
