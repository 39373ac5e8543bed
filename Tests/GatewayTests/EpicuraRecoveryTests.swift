import EventLog
import Models
import Testing

@testable import Gateway

/// What a client is told that comes back with `since`.
@Suite struct EpicuraRecoveryTests {
  private let appliance = Samples.appliance
  private let position = EventID(milliseconds: 100, sequence: 0)

  private func id(_ number: UInt64) -> EventID { EventID(milliseconds: number, sequence: 0) }
  private func subscriptions() -> EpicuraSubscriptions { EpicuraSubscriptions(countMax: 8, answerTimeout: .seconds(10)) }

  /// A subscription up to where the log is read.
  private func reading(since: EventID) throws -> EpicuraSubscriptions {
    var subscriptions = subscriptions()
    #expect(try subscriptions.begin(appliance, since: since, now: Samples.time) == 1)
    #expect(subscriptions.permitted(appliance, now: Samples.time) == [.join(appliance)])
    #expect(
      subscriptions.becameLive(appliance, position: position, now: Samples.time)
        == [.readLog(appliance, attempt: 1, since: since)])
    return subscriptions
  }

  private func whole(_ events: [Event]) -> EventHistory { EventHistory(events: events, isComplete: true) }

  @Test func `First the discrete events in order, then the newest telemetry that is new`() throws {
    var subscriptions = try reading(since: id(50))
    let missed = [60, 80].map { Samples.event("cooking:error", $0) }
    let state = [
      Samples.event("telemetry.old", 40), Samples.status("cooking", 45), Samples.event("cooking:progress", 70),
      Samples.event("cooking:error", 80),
    ]
    let actions = subscriptions.read(LogReading(state: state, history: whole(missed)), appliance, now: Samples.time)
    guard case .deliver(_, let recovery) = actions.last else {
      Issue.record("nothing delivered: \(actions)")
      return
    }
    #expect(actions.first == .send(.subscribed(appliance, Samples.time, currentStatus: "cooking", recovered: true)))
    #expect(actions.count == 2)
    #expect(recovery.missed == missed + [state[2]])
  }

  @Test func `A history that is too short is told, and the client begins with what is now`() throws {
    var subscriptions = try reading(since: id(50))
    let status = Samples.status("cooking", 90)
    let history = EventHistory(events: [Samples.event("cooking:error", 95)], isComplete: false)
    #expect(
      subscriptions.read(LogReading(state: [status], history: history), appliance, now: Samples.time) == [
        .send(.subscribed(appliance, Samples.time, currentStatus: "cooking", recovered: false)), .sendEvent(status),
        .deliver(appliance, Recovery(nothingUpTo: position)),
      ])
  }

  @Test func `A client that stops reading gets the rest when it reads again`() throws {
    var subscriptions = try reading(since: id(50))
    _ = subscriptions.read(LogReading(state: [], history: whole([Samples.event("cooking:error", 60)])), appliance, now: Samples.time)
    var known = KnownEvents(since: id(50))
    known.add(Samples.event("cooking:error", 60))
    #expect(subscriptions.delivered(appliance, .part(known), now: Samples.time) == [])
    #expect(subscriptions.late(now: Samples.time + .seconds(60)) == [], "it is the client that takes its time")
    #expect(subscriptions.drained(now: Samples.time) == [.join(appliance)])
    #expect(
      subscriptions.becameLive(appliance, position: position, now: Samples.time)
        == [.readLog(appliance, attempt: 1, since: id(60))])
    let rest = Samples.event("cooking:error", 70)
    #expect(
      subscriptions.read(LogReading(state: [], history: whole([rest])), appliance, now: Samples.time)
        == [.deliver(appliance, Recovery(known, state: [], history: [rest]))])
    #expect(subscriptions.delivered(appliance, .whole, now: Samples.time) == [])
  }

  @Test func `A client that is slower than the log forgets is closed`() throws {
    var subscriptions = try reading(since: id(50))
    _ = subscriptions.read(LogReading(state: [], history: whole([])), appliance, now: Samples.time)
    _ = subscriptions.delivered(appliance, .part(KnownEvents(since: id(50))), now: Samples.time)
    _ = subscriptions.drained(now: Samples.time)
    _ = subscriptions.becameLive(appliance, position: position, now: Samples.time)
    let lost = LogReading(state: [], history: EventHistory(events: [], isComplete: false))
    #expect(subscriptions.read(lost, appliance, now: Samples.time) == [.closeAsSlow])
  }

  @Test func `Recoveries of one client come one after the other, and a plain subscription does not wait`() throws {
    var subscriptions = try reading(since: id(50))
    let (second, third, plain) = (Samples.id("EPIC-002"), Samples.id("EPIC-003"), Samples.id("EPIC-004"))
    for appliance in [second, third] {
      #expect(try subscriptions.begin(appliance, since: id(50), now: Samples.time) != nil)
      #expect(subscriptions.permitted(appliance, now: Samples.time) == [])
    }
    #expect(try subscriptions.begin(plain, since: nil, now: Samples.time) != nil)
    #expect(subscriptions.permitted(plain, now: Samples.time) == [.join(plain)])
    #expect(subscriptions.late(now: Samples.time + .seconds(60)) == [appliance, plain], "those in the queue ask nobody")
    _ = subscriptions.read(LogReading(state: [], history: whole([])), appliance, now: Samples.time)
    #expect(subscriptions.delivered(appliance, .whole, now: Samples.time) == [.join(second)])
    #expect(subscriptions.end(second, now: Samples.time) == [.leave(second), .join(third)])
  }
}
