import EventLog
import Models
import Testing

@testable import Ingest

@Suite("Who is online")
struct PresenceTests {
  private static let now = TranslationTests.receivedAt

  private func told(_ status: String, at time: Timestamp) throws -> Event {
    Event(
      type: .applianceStatus, applianceID: try ApplianceID("a"), timestamp: time, data: Array(#"{"status":"\#(status)"}"#.utf8),
      id: EventID(milliseconds: UInt64(time.microseconds / 1000), sequence: 0))
  }

  @Test func `an appliance that is heard is told as online once, and again after it was offline`() throws {
    #expect(PresenceWord(heardAt: Self.now, told: nil) == .online)
    for status in ["online", "error", "charging"] {
      #expect(try PresenceWord(heardAt: Self.now, told: told(status, at: Self.now + .seconds(-9))) == nil, "\(status)")
    }
    #expect(try PresenceWord(heardAt: Self.now, told: told("offline", at: Self.now + .seconds(-1))) == .online)
  }

  @Test func `its last will is not contradicted by what it said before`() throws {
    #expect(try PresenceWord(heardAt: Self.now, told: told("offline", at: Self.now + .seconds(1))) == nil)
  }

  @Test func `an appliance that is silent is told as offline, unless it was`() throws {
    #expect(PresenceWord(silentAfter: nil) == .offline)
    #expect(try PresenceWord(silentAfter: told("online", at: Self.now)) == .offline)
    #expect(try PresenceWord(silentAfter: told("offline", at: Self.now)) == nil)
  }

  @Test func `of replicas that say the same, one is heard`() throws {
    let (appliance, last) = (try ApplianceID("a"), try told("offline", at: Self.now))
    let entries = [0, 5].map { PresenceWord.online.entry(of: appliance, insteadOf: last, at: Self.now + .seconds($0)) }
    #expect(entries[0].fingerprint == entries[1].fingerprint && entries[0].mayBeDuplicate && entries[0].window == .everyone)
    let others = [
      PresenceWord.offline.entry(of: appliance, insteadOf: last, at: Self.now),
      PresenceWord.online.entry(of: appliance, insteadOf: nil, at: Self.now),
      PresenceWord.online.entry(of: try ApplianceID("b"), insteadOf: last, at: Self.now),
    ]
    #expect(Set(others.map(\.fingerprint) + [entries[0].fingerprint]).count == 4)
  }

  @Test func `a silence means nothing until messages have come through for as long as the longest that is let pass`() {
    var trust = PresenceTrust()
    let rounds = [(0, true), (60, true), (61, true), (62, false), (63, true), (124, true)]
    let mayTell = rounds.map { second, isWorking in trust.mayTell(isWorking: isWorking, at: Self.now + .seconds(second)) }
    #expect(mayTell == [false, false, true, false, false, true])
  }

  @Test func `the latest sighting counts, of the dialects whose devices say nothing when they leave`() throws {
    #expect(
      Sightings.silenceMax(topic: "reefnet/a/status") == .seconds(15)
        && Sightings.silenceMax(topic: "oht50/a/system.status") == .seconds(60))
    #expect(Sightings.silenceMax(topic: "epicura/a/status") == nil && Sightings.silenceMax(topic: "martlet/a/events/x") == nil)
    let sightings = Sightings()
    let a = try ApplianceID("a")
    for seconds in [5, 3] { sightings.note([a: Sighting(at: Self.now + .seconds(seconds), silenceMax: .seconds(15))]) }
    #expect(sightings.take() == [a: Sighting(at: Self.now + .seconds(5), silenceMax: .seconds(15))])
    #expect(sightings.take().isEmpty)
  }
}
