import Access
import EventLog
import Models
import Testing
import WebSocketTransport

@testable import Gateway

@Suite struct EpicuraSessionStateMachineTests {
  typealias Machine = EpicuraSessionStateMachine
  private static let appliance = Samples.appliance
  private let ann = Principal(subject: "ann", expiresAt: Samples.time + .seconds(900))

  private func machine(_ limits: SessionLimits = SessionLimits()) -> Machine { Machine(limits: limits, now: Samples.time) }

  private func open(_ limits: SessionLimits = SessionLimits()) -> Machine {
    var machine = machine(limits)
    #expect(machine.handle(.admission(.admitted(ann)), now: Samples.time) == [.send(.connected(userID: "ann"))])
    return machine
  }

  private func frame(_ text: String) -> Machine.Input { .frame(Array(text.utf8)) }
  private func subscribe(_ appliance: ApplianceID = appliance) -> Machine.Input {
    frame(#"{"type":"subscribe","appliance_id":"\#(appliance)"}"#)
  }

  private static let position = EventID(milliseconds: 100, sequence: 0)
  private static func reading(_ state: [Event], _ history: EventHistory? = nil) -> LogReading { LogReading(state: state, history: history) }

  /// A first subscription up to where the log is read.
  private var toReading: [Machine.Input] {
    [subscribe(), .grant(Self.appliance, .subscription(attempt: 1), .granted(.own)), .live(Self.appliance, position: Self.position)]
  }

  private func errorCode(_ actions: [Machine.Action]) -> EpicuraRejection.Code? {
    for case .send(.error(let rejection, _)) in actions { return rejection.code }
    return nil
  }

  private func established() -> Machine {
    var machine = open()
    for input in toReading + [.log(Self.appliance, attempt: 1, Self.reading([])), .delivered(Self.appliance, .whole)] {
      _ = machine.handle(input, now: Samples.time)
    }
    return machine
  }

  @Test func `A subscription asks, joins, reads, and then tells the state before the live events`() {
    var machine = open()
    #expect(machine.handle(subscribe(), now: Samples.time) == [.askPermission(ann, Self.appliance, .subscription(attempt: 1))])
    #expect(machine.handle(.grant(Self.appliance, .subscription(attempt: 1), .granted(.own)), now: Samples.time) == [.join(Self.appliance)])
    #expect(
      machine.handle(.live(Self.appliance, position: Self.position), now: Samples.time)
        == [.readLog(Self.appliance, attempt: 1, since: nil)])
    let status = Samples.status("cooking", 5)
    let reading = Self.reading([status, Samples.event("cooking:progress", 6)])
    let actions = machine.handle(.log(Self.appliance, attempt: 1, reading), now: Samples.time)
    #expect(
      actions == [
        .send(.subscribed(Self.appliance, Samples.time, currentStatus: "cooking")), .sendEvent(status),
        .deliver(Self.appliance, Recovery(nothingUpTo: Self.position)),
      ])
  }

  @Test func `A status that is among the live events is told, but comes with them`() {
    var machine = open()
    for input in toReading { _ = machine.handle(input, now: Samples.time) }
    let actions = machine.handle(.log(Self.appliance, attempt: 1, Self.reading([Samples.status("cooking", 101)])), now: Samples.time)
    #expect(
      actions == [
        .send(.subscribed(Self.appliance, Samples.time, currentStatus: "cooking")),
        .deliver(Self.appliance, Recovery(nothingUpTo: Self.position)),
      ])
  }

  @Test func `An appliance that never told a status is offline`() {
    var machine = open()
    for input in toReading { _ = machine.handle(input, now: Samples.time) }
    #expect(
      machine.handle(.log(Self.appliance, attempt: 1, Self.reading([])), now: Samples.time).first
        == .send(.subscribed(Self.appliance, Samples.time, currentStatus: "offline")))
  }

  @Test(arguments: AccessError.allCases)
  func `A bad token closes with the document's text`(error: AccessError) {
    var machine = machine()
    #expect(machine.handle(.admission(.refused(error)), now: Samples.time) == [.close(.policyViolation, reason: error.text)])
    #expect(machine.handle(subscribe(), now: Samples.time) == [])
  }

  @Test func `A token that cannot be checked now closes so that the client comes back`() {
    var machine = machine()
    #expect(
      machine.handle(.admission(.unavailable), now: Samples.time) == [.close(.tryAgainLater, reason: "The token cannot be checked now")])
    var waiting = self.machine()
    #expect(waiting.handle(.tick, now: Samples.time + .seconds(10)) == [])
    #expect(waiting.handle(.tick, now: Samples.time + .seconds(11)) == [.close(.tryAgainLater, reason: "The token cannot be checked now")])
  }

  @Test func `What comes before the token was checked is answered behind connected, in order, up to a bound`() {
    var early = machine()
    #expect(early.handle(frame(#"{"type":"ping"}"#), now: Samples.time) == [])
    #expect(early.handle(subscribe(), now: Samples.time) == [])
    #expect(
      early.handle(.admission(.admitted(ann)), now: Samples.time) == [
        .send(.connected(userID: "ann")), .send(.pong), .askPermission(ann, Self.appliance, .subscription(attempt: 1)),
      ])
    var flooded = machine()
    for _ in 0..<32 { #expect(flooded.handle(subscribe(), now: Samples.time) == []) }
    guard case .close(.policyViolation, _)? = flooded.handle(subscribe(), now: Samples.time).first else {
      Issue.record("not closed")
      return
    }
  }

  @Test func `Foreign and unknown appliances get one answer, and a database that is down another`() {
    var machine = open()
    _ = machine.handle(subscribe(), now: Samples.time)
    #expect(errorCode(machine.handle(.grant(Self.appliance, .subscription(attempt: 1), .refused), now: Samples.time)) == .applianceNotFound)
    _ = machine.handle(subscribe(), now: Samples.time)
    #expect(
      errorCode(machine.handle(.grant(Self.appliance, .subscription(attempt: 2), .unavailable), now: Samples.time))
        == .temporarilyUnavailable)
  }

  @Test func `A neighbour that does not answer ends in an error, and its late answer in nothing`() {
    var machine = open()
    for input in toReading { _ = machine.handle(input, now: Samples.time) }
    let actions = machine.handle(.tick, now: Samples.time + .seconds(11))
    #expect(actions.first == .leave(Self.appliance))
    #expect(errorCode(actions) == .temporarilyUnavailable)
    #expect(machine.handle(.log(Self.appliance, attempt: 1, Self.reading([])), now: Samples.time) == [])
  }

  @Test func `A log that cannot be read ends the subscription with an error`() {
    var machine = open()
    for input in toReading { _ = machine.handle(input, now: Samples.time) }
    let actions = machine.handle(.log(Self.appliance, attempt: 1, nil), now: Samples.time)
    #expect(actions.first == .leave(Self.appliance))
    #expect(errorCode(actions) == .temporarilyUnavailable)
  }

  @Test func `Subscribing again while the first one is under way is one subscription, and later gives the state anew`() {
    var machine = open()
    _ = machine.handle(subscribe(), now: Samples.time)
    #expect(machine.handle(subscribe(), now: Samples.time) == [])
    var established = established()
    #expect(established.handle(subscribe(), now: Samples.time) == [.askPermission(ann, Self.appliance, .subscription(attempt: 2))])
    #expect(
      established.handle(.grant(Self.appliance, .subscription(attempt: 2), .refused), now: Samples.time).first == .leave(Self.appliance))
  }

  @Test func `Unsubscribing leaves, is answered, and may be repeated`() {
    var machine = established()
    let unsubscribe = frame(#"{"type":"unsubscribe","appliance_id":"EPIC-001"}"#)
    #expect(
      machine.handle(unsubscribe, now: Samples.time) == [.leave(Self.appliance), .send(.unsubscribed(Self.appliance, Samples.time))])
    #expect(machine.handle(unsubscribe, now: Samples.time) == [.send(.unsubscribed(Self.appliance, Samples.time))])
  }

  @Test func `Subscriptions are bounded`() {
    var machine = open(SessionLimits(subscriptionsMax: 1))
    _ = machine.handle(subscribe(), now: Samples.time)
    #expect(errorCode(machine.handle(subscribe(Samples.other), now: Samples.time)) == .tooManySubscriptions)
  }

  @Test func `The 21st mistake within ten seconds closes, later ones are forgiven`() {
    var machine = open()
    for count in 0..<20 {
      #expect(errorCode(machine.handle(frame("nonsense"), now: Samples.time + .milliseconds(count * 500))) == .malformedMessage)
    }
    #expect(errorCode(machine.handle(frame(#"{"type":"dance"}"#), now: Samples.time + .seconds(10))) == .unknownType)
    #expect(
      machine.handle(frame("{}"), now: Samples.time + .seconds(10)) == [.close(.policyViolation, reason: "Too many errors")])
  }

  @Test func `A change of access is checked: what is lost is left, and a deleted user is closed`() {
    var machine = established()
    #expect(machine.handle(.accessChanged(.everything), now: Samples.time) == [.recheck(ann, [Self.appliance])])
    #expect(machine.handle(.accessChanged(.everything), now: Samples.time) == [])
    // The change that came during the check is checked too, at once.
    let actions = machine.handle(.rechecked(.init(lost: [Self.appliance])), now: Samples.time)
    #expect(Array(actions.prefix(2)) == [.recheck(ann, [Self.appliance]), .leave(Self.appliance)])
    #expect(errorCode(actions) == .applianceNotFound)
    #expect(
      machine.handle(.rechecked(.init(refusal: .userNotFound)), now: Samples.time) == [
        .close(.policyViolation, reason: AccessError.userNotFound.text)
      ])
  }

  @Test(arguments: [
    (AccessChange.user("ann"), true), (.token("t", ofUser: "ann"), true), (.appliance(Samples.appliance), true), (.user("bob"), false),
    (.token("t", ofUser: "bob"), false), (.appliance(Samples.other), false),
  ])
  func `Only what concerns the connection is checked`(change: AccessChange, isConcerned: Bool) {
    var machine = established()
    #expect(machine.handle(.accessChanged(change), now: Samples.time) == (isConcerned ? [.recheck(ann, [Self.appliance])] : []))
  }

  @Test func `A change while the token is checked is checked as soon as the client is in`() {
    var machine = machine()
    #expect(machine.handle(.accessChanged(.user("ann")), now: Samples.time) == [])
    #expect(
      machine.handle(.admission(.admitted(ann)), now: Samples.time) == [.send(.connected(userID: "ann")), .recheck(ann, [])])
    #expect(
      machine.handle(.rechecked(.init(refusal: .tokenRevoked)), now: Samples.time) == [
        .close(.policyViolation, reason: "Token has been revoked")
      ])
  }

  @Test func `A change that cannot be checked now is checked later`() {
    var machine = established()
    _ = machine.handle(.accessChanged(.everything), now: Samples.time)
    #expect(machine.handle(.rechecked(nil), now: Samples.time) == [])
    #expect(machine.handle(.tick, now: Samples.time) == [.recheck(ann, [Self.appliance])])
  }

  // MARK: Token

  private let end = Samples.time + .seconds(900)

  @Test func `A token's end is told a minute ahead, once, and closes`() {
    var machine = open()
    #expect(machine.handle(.tick, now: end + .seconds(-61)) == [])
    #expect(machine.handle(.tick, now: end + .seconds(-60)) == [.send(.tokenExpiring(end + .seconds(-60), expiresAt: end))])
    #expect(machine.handle(.tick, now: end + .seconds(-1)) == [])
    #expect(machine.handle(.tick, now: end) == [.close(.policyViolation, reason: "Invalid or expired token")])
  }

  @Test func `Another token of the same user takes its place, and what it may is asked anew`() {
    var machine = established()
    let later = Principal(subject: "ann", role: .viewer, expiresAt: end + .seconds(900))
    #expect(machine.handle(frame(#"{"type":"auth","token":"t"}"#), now: Samples.time) == [.renew(token: "t")])
    #expect(
      machine.handle(.renewal(.admitted(later)), now: Samples.time) == [
        .send(.authenticated(Samples.time, expiresAt: later.expiresAt)), .recheck(later, [Self.appliance]),
      ])
    #expect(machine.handle(.tick, now: end) == [])
    #expect(machine.handle(.tick, now: end + .seconds(840)) == [.send(.tokenExpiring(end + .seconds(840), expiresAt: later.expiresAt))])
  }

  @Test(arguments: [
    (
      AccessGate.Admission.admitted(Principal(subject: "bob", expiresAt: Samples.time + .seconds(5000))),
      EpicuraRejection.Code.authenticationFailed
    ),
    (.refused(.invalidOrExpiredToken), .authenticationFailed), (.refused(.tokenRevoked), .authenticationFailed),
    (.unavailable, .temporarilyUnavailable),
  ])
  func `A token that cannot take its place is told, and the one before goes on counting`(
    admission: AccessGate.Admission, code: EpicuraRejection.Code
  ) {
    var machine = open()
    _ = machine.handle(frame(#"{"type":"auth","token":"t"}"#), now: Samples.time)
    #expect(errorCode(machine.handle(frame(#"{"type":"auth","token":"u"}"#), now: Samples.time)) == .authenticationFailed)
    #expect(errorCode(machine.handle(.renewal(admission), now: Samples.time)) == code)
    #expect(machine.handle(.tick, now: end) == [.close(.policyViolation, reason: "Invalid or expired token")])
  }
}
