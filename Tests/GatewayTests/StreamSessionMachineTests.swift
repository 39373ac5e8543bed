import Access
import Models
import Testing

@testable import Gateway

@Suite struct StreamSessionMachineTests {
  typealias Machine = StreamSessionMachine
  private let first = Samples.id("LAB-1")
  private let second = Samples.id("LAB-2")
  private let ann = Principal(subject: "ann", expiresAt: Samples.time + .seconds(900))
  private let ping = Machine.Input.frame(Array(#"{"type":"ping"}"#.utf8))

  private func entered() -> Machine {
    var machine = Machine(limits: SessionLimits(), now: Samples.time)
    #expect(machine.handle(.admission(.admitted(ann)), now: Samples.time) == [.look(ann)])
    return machine
  }

  private func connected(_ controllers: ApplianceID...) -> Machine {
    var machine = entered()
    _ = machine.handle(.view(.init(controllers: controllers)), now: Samples.time)
    for controller in controllers { _ = machine.handle(.live(controller), now: Samples.time) }
    return machine
  }

  @Test func `It is connected once every controller is heard, and what the client said meanwhile is answered then`() {
    var machine = entered()
    #expect(machine.handle(ping, now: Samples.time).isEmpty)
    #expect(machine.handle(.view(.init(controllers: [first, second])), now: Samples.time) == [.join(first), .join(second)])
    #expect(machine.handle(.live(second), now: Samples.time).isEmpty)
    #expect(machine.handle(.live(first), now: Samples.time) == [.send(.connected), .send(.pong)])
    #expect(machine.handle(.live(first), now: Samples.time).isEmpty)
    #expect(machine.handle(ping, now: Samples.time) == [.send(.pong)])
  }

  @Test func `A user without controllers is connected all the same, and so is one whose controllers cannot be heard`() {
    var machine = entered()
    #expect(machine.handle(.view(.init()), now: Samples.time) == [.send(.connected)])
    var waiting = entered()
    _ = waiting.handle(.view(.init(controllers: [first])), now: Samples.time)
    #expect(waiting.handle(.tick, now: Samples.time + .seconds(3)).isEmpty)
    #expect(waiting.handle(.tick, now: Samples.time + .seconds(4)) == [.send(.connected)])
  }

  @Test func `What the user may see follows every change`() {
    var machine = connected(first)
    #expect(machine.handle(.accessChanged(.appliance(second)), now: Samples.time) == [.look(ann)])
    #expect(machine.handle(.accessChanged(.everything), now: Samples.time).isEmpty)
    #expect(machine.handle(.view(.init(controllers: [second])), now: Samples.time) == [.leave(first), .join(second), .look(ann)])
    #expect(machine.handle(.view(nil), now: Samples.time).isEmpty)
    #expect(machine.handle(.tick, now: Samples.time) == [.look(ann)])
    #expect(machine.handle(.view(.init(controllers: [second])), now: Samples.time).isEmpty)
    for change in [AccessChange.user("bob"), .token("j", ofUser: "bob"), .sensors(of: second)] {
      #expect(machine.handle(.accessChanged(change), now: Samples.time).isEmpty)
    }
    #expect(machine.handle(.accessChanged(.token("j", ofUser: "ann")), now: Samples.time) == [.look(ann)])
    #expect(machine.handle(.view(.init(refusal: .tokenRevoked)), now: Samples.time) == [.close(.refused(.tokenRevoked))])
    #expect(machine.handle(ping, now: Samples.time).isEmpty)
  }

  @Test func `Anything but ping and auth is a mistake`() {
    var machine = connected()
    let noise = Machine.Input.frame(Array(#"{"type":"datapoints"}"#.utf8))
    for _ in 0..<20 {
      #expect(machine.handle(noise, now: Samples.time) == [.send(.error("Unknown message type 'datapoints'; known are ping and auth"))])
    }
    #expect(machine.handle(noise, now: Samples.time) == [.close(.broken("Too many errors"))])
  }

  @Test func `Another token of the user prolongs the stay`() {
    var machine = connected()
    let auth = Machine.Input.frame(Array(#"{"type":"auth","token":"u"}"#.utf8))
    #expect(
      machine.handle(.tick, now: ann.expiresAt + .seconds(-30)).first
        == .send(.tokenExpiring(ann.expiresAt + .seconds(-30), expiresAt: ann.expiresAt)))
    #expect(machine.handle(auth, now: Samples.time) == [.renew(token: "u")])
    let later = Principal(subject: "ann", expiresAt: ann.expiresAt + .seconds(900))
    #expect(
      machine.handle(.renewal(.admitted(later)), now: Samples.time)
        == [.send(.authenticated(Samples.time, expiresAt: later.expiresAt)), .look(later)])
    #expect(machine.handle(.tick, now: ann.expiresAt).isEmpty)
    #expect(machine.handle(.tick, now: later.expiresAt) == [.close(.refused(.invalidOrExpiredToken))])
  }
}
