import Access
import Commands
import EventLog
import Models
import Testing

@testable import Gateway

/// What a connection of the reefnet dialect decides.
@Suite struct ReefnetSessionMachineTests {
  private static let module = Samples.id("PickleHeat.Heater")
  private static let start = Timestamp(microseconds: 1_772_226_910_000_000)
  private static let secret = String(repeating: "s", count: 43)
  private static let status =
    #"{"protocol":"reefnet.v1","module_id":"PickleHeat.Heater","type":"status","payload":{"subsystems":[]}}"#

  private static func machine(_ token: String? = "a.b.c", moduleID: String? = nil) -> ReefnetSessionMachine {
    var count = 0
    return ReefnetSessionMachine(token: token, moduleID: moduleID, limits: SessionLimits(), now: start) {
      count += 1
      return "c\(count)"
    }
  }

  /// A connection whose module is known and heard.
  private static func heater() -> ReefnetSessionMachine {
    var machine = machine()
    _ = machine.begin()
    _ = machine.handle(.checked(.entry, .module, .admitted(.endless(module.rawValue))), now: start)
    return machine
  }

  /// A UI that sees the module, and hears it unless told otherwise.
  private static func ui(isHeard: Bool = true) -> ReefnetSessionMachine {
    var machine = machine()
    _ = machine.begin()
    _ = machine.handle(.checked(.entry, .user, .admitted(.endless("ann"))), now: start)
    _ = machine.handle(.view(AccessGate.Recheck(), [module]), now: start)
    if isHeard { _ = machine.handle(.live(module), now: start) }
    return machine
  }

  private static func command(_ id: String, expiresIn seconds: Int = 10) -> Command {
    Command(
      id: id, applianceID: module, type: ReefnetCommand.statusRequest.type, issuedAt: start, expiresAt: start + .seconds(seconds))
  }

  private static func setParam(_ value: Int) -> [UInt8] { Array(#"{"type":"set_param","param":"setpoint_c","value":\#(value)}"#.utf8) }

  private static func requests(_ actions: [ReefnetSessionMachine.Action]) -> [String] {
    actions.compactMap { if case .request(let control, _) = $0 { control.id } else { nil } }
  }

  // MARK: Coming in

  @Test func `A token is checked at once, and a secret when it is known whose it is`() {
    var token = Self.machine()
    #expect(token.begin() == [.check(.entry, .init(text: "a.b.c", moduleID: nil))])
    var named = Self.machine(Self.secret, moduleID: "x")
    #expect(named.begin() == [.check(.entry, .init(text: Self.secret, moduleID: "x"))])
    var unnamed = Self.machine(Self.secret)
    #expect(unnamed.begin() == [])
    #expect(
      unnamed.handle(.frame(Array(Self.status.utf8)), now: Self.start)
        == [.check(.entry, .init(text: Self.secret, moduleID: "PickleHeat.Heater"))])
    // The frame that told it is not lost.
    let actions = unnamed.handle(.checked(.entry, .module, .admitted(.endless(Self.module.rawValue))), now: Self.start)
    #expect(actions.contains(.countFrame))
  }

  @Test func `Whoever shows nothing for ten seconds is asked for it`() {
    var machine = Self.machine(nil)
    #expect(machine.begin() == [] && machine.handle(.tick, now: Self.start + .seconds(10)) == [])
    #expect(machine.handle(.tick, now: Self.start + .seconds(11)) == [.close(.refused(.authenticationRequired))])
  }

  @Test func `A first frame of another module ends the connection, and a later one is dropped`() {
    let foreign = Array(Self.status.replacing("PickleHeat.Heater", with: "Other").utf8)
    var stranger = Self.heater()
    #expect(
      stranger.handle(.frame(foreign), now: Self.start)
        == [.logRefused(.wrongModule, foreign), .close(.refused(.invalidOrExpiredToken))])
    var known = Self.heater()
    _ = known.handle(.frame(Array(Self.status.utf8)), now: Self.start)
    let control = Array(#"{"protocol":"reefnet.v1","module_id":"Other","type":"control","payload":{"command":"ping"}}"#.utf8)
    for frame in [foreign, control] {
      #expect(known.handle(.frame(frame), now: Self.start) == [.logRefused(.foreignModule("Other"), frame)])
    }
  }

  // MARK: Modules

  @Test func `A command goes to the module at once, and the log hears of it before the status that it provokes`() throws {
    var machine = Self.heater()
    let command = Self.command("a")
    let frame = try #require(ReefnetCommand.frame(of: command))
    let status = Array(Self.status.utf8)
    let first = machine.handle(.frame(status), now: Self.start)
    let event = try ReefnetFrame(parsing: status).event(receivedAt: Self.start)
    #expect(first == [.countFrame, .append([.frame(event, receivedAt: Self.start)], of: Self.module)])
    // Behind a frame that is under way.
    #expect(machine.handle(.commands([command]), now: Self.start) == [.send(frame)])
    #expect(machine.handle(.frame(status), now: Self.start) == [.countFrame])
    #expect(machine.handle(.appended, now: Self.start) == [.append([.sent(command, at: Self.start)], of: Self.module)])
    #expect(machine.handle(.appended, now: Self.start) == [.append([.frame(event, receivedAt: Self.start)], of: Self.module)])
  }

  @Test func `A command is given once, and not when its deadline has passed`() throws {
    var machine = Self.heater()
    let commands = [Self.command("b"), Self.command("a", expiresIn: 5), Self.command("late", expiresIn: 0)]
    let sent = machine.handle(.commands(commands), now: Self.start).compactMap { action -> String? in
      if case .send(let text) = action { try? JSONObject(parsing: text).string("command_id") } else { nil }
    }
    #expect(sent == ["a", "b"])
    #expect(machine.handle(.commands(commands), now: Self.start) == [])
  }

  @Test func `A log that does not answer holds the module back`() {
    var machine = Self.heater()
    let text = Array(Self.status.replacing("[]}", with: "[],\"x\":\"\(String(repeating: "x", count: 15_000))\"}").utf8)
    var actions: [ReefnetSessionMachine.Action] = []
    for _ in 0..<20 where !actions.contains(.read(false)) { actions += machine.handle(.frame(text), now: Self.start) }
    #expect(actions.last == .read(false))
    #expect(machine.handle(.appended, now: Self.start).last == .read(true))
  }

  // MARK: UIs

  @Test func `Controls go to the desk one after the other, and only when their module is heard`() {
    var machine = Self.ui(isHeard: false)
    #expect(machine.handle(.frame(Self.setParam(1)), now: Self.start) == [])
    #expect(machine.handle(.frame(Self.setParam(2)), now: Self.start) == [])
    #expect(Self.requests(machine.handle(.live(Self.module), now: Self.start)) == ["c1"])
    let accepted = ReefnetSessionMachine.Input.answered(commandID: "c1", .desk(.accepted(Self.command("c1"))))
    #expect(Self.requests(machine.handle(accepted, now: Self.start)) == ["c2"])
  }

  @Test func `A module that is not heard in time is told as a failure, not as silence`() {
    var machine = Self.ui(isHeard: false)
    _ = machine.handle(.frame(Self.setParam(1)), now: Self.start)
    let actions = machine.handle(.tick, now: Self.start + .seconds(11))
    guard case .send(let text) = actions.first else { return #expect(Bool(false), "\(actions)") }
    #expect((try? JSONObject(parsing: text))?.string("code") == "TEMPORARILY_UNAVAILABLE")
  }

  @Test func `What the user may not do is met with silence, and is a mistake`() {
    var machine = Self.ui()
    for number in 1...20 {
      _ = machine.handle(.frame(Self.setParam(1)), now: Self.start)
      #expect(machine.handle(.answered(commandID: "c\(number)", .refused), now: Self.start) == [.logRefused(.notPermitted, [])])
    }
    _ = machine.handle(.frame(Self.setParam(1)), now: Self.start)
    let last = machine.handle(.answered(commandID: "c21", .refused), now: Self.start)
    #expect(last.contains(.close(.broken("Too many errors"))))
  }

  @Test func `A command without an outcome is settled a second after its deadline`() {
    var machine = Self.ui()
    _ = machine.handle(.frame(Self.setParam(1)), now: Self.start)
    let command = Self.command("c1")
    _ = machine.handle(.answered(commandID: "c1", .desk(.accepted(command))), now: Self.start)
    #expect(machine.handle(.tick, now: Self.start + .seconds(11)) == [])
    #expect(machine.handle(.tick, now: Self.start + .seconds(12)) == [.expire(command)])
    #expect(machine.handle(.tick, now: Self.start + .seconds(13)) == [])
  }

  @Test func `More commands than may be open are refused`() {
    var machine = Self.ui()
    for _ in 1...16 { _ = machine.handle(.frame(Self.setParam(1)), now: Self.start) }
    guard case .send(let text) = machine.handle(.frame(Self.setParam(1)), now: Self.start).first else {
      return #expect(Bool(false), "nothing was said")
    }
    #expect((try? JSONObject(parsing: text))?.string("code") == "TOO_MANY_COMMANDS")
  }

  @Test func `An alarm that a user acknowledges is told as the module's alarm, as active as it is`() throws {
    let data =
      #"{"alarm_id":7,"source":"code:safety.thermal_runaway@Second","name":"Thermal runaway","severity":"critical","raised_count":1,"acknowledged_by":"ann","state":"open"}"#
    let event = Event(type: .alarmAcknowledged, applianceID: Self.module, timestamp: Self.start, data: Array(data.utf8))
    let frame = try ReefnetFrame(parsing: try #require(ReefnetServerMessage.acknowledgedAlarm(event)))
    let alarm = try ReefnetAlarm(payload: frame.payload)
    #expect(frame.moduleID == Self.module && frame.kind == .alarm && frame.sentAt == Self.start)
    #expect(alarm.code == "safety.thermal_runaway" && alarm.isActive && alarm.severity == .critical && alarm.message == "Thermal runaway")
    #expect(frame.payload.string("acknowledged_by") == "ann")
    let over = Event(
      type: .alarmAcknowledged, applianceID: Self.module, timestamp: Self.start, data: Array(data.replacing("open", with: "cleared").utf8))
    let cleared = try ReefnetAlarm(
      payload: ReefnetFrame(parsing: try #require(ReefnetServerMessage.acknowledgedAlarm(over))).payload)
    #expect(!cleared.isActive && cleared.severity == .info)
    // One that a rule raised is no module's.
    let other = data.replacing("code:", with: "rule:")
    #expect(
      ReefnetServerMessage.acknowledgedAlarm(
        Event(type: .alarmAcknowledged, applianceID: Self.module, timestamp: Self.start, data: Array(other.utf8))) == nil)
  }
}
