import Access
import Models
import Store
import Testing

@testable import Gateway

@Suite struct ControllerSessionMachineTests {
  typealias Machine = ControllerSessionMachine
  private static let controller = Samples.id("LAB-1")
  private let principal = Principal(subject: "LAB-1", expiresAt: Samples.time + .seconds(900))
  private let settings = ControllerSettings(sensors: ["a", "b"], experimentID: "exp-1")

  private func machine(acknowledges: Bool = false) -> Machine {
    var machine = Machine(credential: "t", acknowledges: acknowledges, limits: SessionLimits(), now: Samples.time)
    #expect(machine.begin() == [.read(false), .check(.entry, credential: "t")])
    return machine
  }

  private func open(acknowledges: Bool = false) -> Machine {
    var machine = machine(acknowledges: acknowledges)
    #expect(machine.handle(.checked(.entry, .admitted(principal)), now: Samples.time) == [.askSettings(Self.controller)])
    #expect(machine.handle(.settings(settings), now: Samples.time) == [.read(true)])
    return machine
  }

  private func frame(_ datapoints: String...) -> Machine.Input {
    .frame(Array("{\"datapoints\":[\(datapoints.map { "{\"value\":1,\"event_public_id\":\"\($0)\"}" }.joined(separator: ","))]}".utf8))
  }

  private func appended(_ actions: [Machine.Action]) -> [Event]? {
    for case .append(let events) in actions { return events }
    return nil
  }

  private func sent(_ actions: [Machine.Action]) -> [WebMACSServerMessage] {
    actions.compactMap { if case .send(let message) = $0 { message } else { nil } }
  }

  @Test func `A batch is one event with the experiment, and only of sensors that a plugin reads`() throws {
    var machine = open()
    let actions = machine.handle(frame("a", "x", "b"), now: Samples.time)
    #expect(actions.first == .count(accepted: 2, refused: 1))
    let event = try #require(appended(actions)?.first)
    #expect(event.applianceID == Self.controller && event.timestamp == Samples.time && event.type == .datapoints)
    let (experiment, datapoints) = WebMACSDatapoints.read(event.data)
    #expect(experiment == "exp-1" && datapoints.map(\.eventID) == ["a", "b"])
    let reason = "no enabled plugin of this controller reads the event 'x'"
    #expect(machine.handle(.appended, now: Samples.time) == [.send(.refused([WebMACSRefusal(index: 1, reason: reason)], of: 3))])
  }

  @Test func `An acknowledgement follows the log, and its answers keep the order of the batches`() {
    var machine = open(acknowledges: true)
    #expect(sent(machine.handle(frame("a"), now: Samples.time)).isEmpty)
    #expect(sent(machine.handle(frame("x"), now: Samples.time)).isEmpty)
    #expect(machine.handle(frame("a", "b", "x"), now: Samples.time) == [.count(accepted: 2, refused: 1)])
    let first = machine.handle(.appended, now: Samples.time)
    #expect(sent(first) == [.ack(accepted: 1, rejected: 0)] && appended(first)?.count == 1)
    let second = sent(machine.handle(.appended, now: Samples.time))
    #expect(second.count == 3 && second.first == .noValidDatapoints && second.last == .ack(accepted: 2, rejected: 1))
    #expect(machine.handle(frame("x"), now: Samples.time) == [.count(accepted: 0, refused: 1), .send(.noValidDatapoints)])
  }

  @Test func `Batches that come while the log is asked go there together and in order`() {
    var machine = open()
    #expect(appended(machine.handle(frame("a"), now: Samples.time))?.count == 1)
    for _ in 0..<3 { #expect(appended(machine.handle(frame("b"), now: Samples.time)) == nil) }
    #expect(appended(machine.handle(.appended, now: Samples.time))?.count == 3)
    #expect(appended(machine.handle(.appended, now: Samples.time)) == nil)
  }

  @Test func `A log that does not answer holds the controller back`() {
    var machine = open()
    let batch = frame(contentsOf: Array(repeating: "a", count: 500))
    _ = machine.handle(batch, now: Samples.time)
    var count = 0
    while !machine.handle(batch, now: Samples.time).contains(.read(false)), count < 1000 { count += 1 }
    #expect((10...60).contains(count))
    let actions = machine.handle(.appended, now: Samples.time)
    #expect(appended(actions)?.count == count + 1 && actions.contains(.read(true)))
  }

  private func frame(contentsOf sensors: [String]) -> Machine.Input {
    .frame(Array("{\"datapoints\":[\(sensors.map { "{\"value\":1,\"event_public_id\":\"\($0)\"}" }.joined(separator: ","))]}".utf8))
  }

  @Test func `Nothing is said of batches that were given up`() {
    var machine = open(acknowledges: true)
    _ = machine.handle(frame("a"), now: Samples.time)
    #expect(machine.handle(.gaveUp, now: Samples.time).isEmpty)
  }

  @Test func `Frames before the settings are known wait for them`() {
    var machine = machine()
    #expect(machine.handle(frame("a"), now: Samples.time).isEmpty)
    #expect(machine.handle(.checked(.entry, .admitted(principal)), now: Samples.time) == [.askSettings(Self.controller)])
    #expect(machine.handle(frame("b"), now: Samples.time).isEmpty)
    #expect(machine.handle(.settings(nil), now: Samples.time).isEmpty)
    #expect(machine.handle(.tick, now: Samples.time) == [.askSettings(Self.controller)])
    let actions = machine.handle(.settings(settings), now: Samples.time)
    #expect(appended(actions)?.first.map { WebMACSDatapoints.read($0.data).datapoints.map(\.eventID) } == ["a"])
    #expect(actions.last == .read(true))
    #expect(appended(machine.handle(.appended, now: Samples.time))?.count == 1)
  }

  @Test func `A change of its sensors is asked for, also one that comes while they are`() {
    var machine = open()
    #expect(machine.handle(.accessChanged(.sensors(of: Samples.other)), now: Samples.time).isEmpty)
    #expect(machine.handle(.accessChanged(.sensors(of: Self.controller)), now: Samples.time) == [.askSettings(Self.controller)])
    #expect(machine.handle(.accessChanged(.sensors(of: Self.controller)), now: Samples.time).isEmpty)
    #expect(machine.handle(.settings(settings), now: Samples.time) == [.askSettings(Self.controller)])
    _ = machine.handle(.settings(ControllerSettings(sensors: ["x"], experimentID: nil)), now: Samples.time)
    let event = appended(machine.handle(frame("a", "x"), now: Samples.time))?.first
    #expect(event.map { WebMACSDatapoints.read($0.data).datapoints.map(\.eventID) } == ["x"])
  }

  @Test func `A revoked token and a controller that is gone end the connection`() {
    for change in [AccessChange.everything, .appliance(Self.controller), .token("j", ofUser: "LAB-1")] {
      var machine = open()
      #expect(machine.handle(.accessChanged(change), now: Samples.time).contains(.check(.stay, credential: "t")))
      #expect(machine.handle(.checked(.stay, .unavailable), now: Samples.time).isEmpty)
      #expect(machine.handle(.tick, now: Samples.time) == [.check(.stay, credential: "t")])
      #expect(machine.handle(.checked(.stay, .refused(.tokenRevoked)), now: Samples.time) == [.close(.refused(.tokenRevoked))])
    }
  }

  @Test func `A renewed token is the one that is checked from then on`() {
    var machine = open()
    let later = Principal(subject: "LAB-1", expiresAt: Samples.time + .seconds(9000))
    let auth = Machine.Input.frame(Array(#"{"type":"auth","token":"u"}"#.utf8))
    #expect(machine.handle(auth, now: Samples.time) == [.check(.renewal, credential: "u")])
    #expect(
      machine.handle(.checked(.renewal, .admitted(later)), now: Samples.time)
        == [.send(.authenticated(Samples.time, expiresAt: later.expiresAt))])
    #expect(machine.handle(.accessChanged(.everything), now: Samples.time).contains(.check(.stay, credential: "u")))
    _ = machine.handle(auth, now: Samples.time)
    let stranger = Principal(subject: "LAB-2", expiresAt: later.expiresAt)
    guard case .send(.error)? = machine.handle(.checked(.renewal, .admitted(stranger)), now: Samples.time).first else {
      Issue.record("another controller's token was taken")
      return
    }
  }

  @Test func `What is no batch counts as a mistake, what is in one does not`() {
    var machine = open()
    for _ in 0..<100 { #expect(sent(machine.handle(frame("x"), now: Samples.time)) == [.noValidDatapoints]) }
    let noise = Machine.Input.frame(Array("[]".utf8))
    for _ in 0..<20 { #expect(sent(machine.handle(noise, now: Samples.time)) == [.error("The message is not a JSON object")]) }
    #expect(machine.handle(noise, now: Samples.time) == [.close(.broken("Too many errors"))])
  }
}
