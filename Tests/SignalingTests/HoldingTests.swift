import Models
import Testing

@testable import Signaling

/// What a replica is known to hold, and under which name, on a real Redis.
@Suite(.timeLimit(.minutes(1))) struct HoldingTests {
  @Test func `An end that came back to the same replica is held until its last connection has gone`() async throws {
    try await BrokerScene.run { scene in
      let place = Place()
      let (old, new) = (try await scene.viewer(place, 7), try await scene.viewer(place, 8))
      let watch = try await scene.watch(old)
      #expect(try await new.hears("signal_ice", #"{"session_id":"\#(watch)","candidate":null}"#).told == ["signal_answer"])
      // It finds that another has its session.
      #expect(try await old.collect() == [])
      await old.closed(inGoodOrder: false)
      #expect(try await scene.switchboard.holdings(of: place.replica) == [.viewer(watch)])
      #expect(try await scene.switchboard.read(watch)?.session.viewerEnd.lostAt == nil)
      await new.closed(inGoodOrder: false)
      #expect(try await scene.switchboard.holdings(of: place.replica).isEmpty)
      #expect(try await scene.switchboard.read(watch)?.session.viewerEnd.lostAt != nil)
    }
  }

  @Test func `A device that came back to the same replica is held until its last connection has gone`() async throws {
    try await BrokerScene.run { scene in
      let (switchboard, held) = (scene.switchboard, Switchboard.Holding.device(scene.device))
      let seats = [1, 2].map { WatchSession.Seat(replica: "replica", connection: $0) }
      for seat in seats { try await switchboard.note(held, at: seat) }
      #expect(try await switchboard.holdings(of: "replica") == [held])
      try await switchboard.takeBack(held, at: seats[0])
      #expect(try await switchboard.holdings(of: "replica") == [held])
      try await switchboard.takeBack(held, at: seats[1])
      #expect(try await switchboard.holdings(of: "replica").isEmpty)
      #expect(Switchboard.Holding("d:cam-1") == held, "as an older version notes it")
    }
  }

  @Test func `A viewer whose replica has another name keeps its sessions under the old one until its turn comes`() async throws {
    try await BrokerScene.run { scene in
      let place = Place()
      let old = place.replica
      let viewer = try await scene.viewer(place, 7)
      let watch = try await scene.watch(viewer)
      let new = place.takeAnother()
      #expect(try await viewer.collect().told == ["signal_answer"])
      try await scene.candidate(1, in: watch)
      #expect(try await viewer.collect().told == ["1"])
      #expect(try await scene.switchboard.read(watch)?.session.viewerEnd.seat.replica == old)
      try await scene.candidate(2, in: watch)
      #expect(try await viewer.takePlaceAnew().told == ["2"])
      #expect(try await scene.switchboard.read(watch)?.session.viewerEnd.seat == WatchSession.Seat(replica: new, connection: 7))
      #expect(try await scene.switchboard.holdings(of: new) == [.viewer(watch)])
      try await scene.candidate(3, in: watch)
      #expect(try await viewer.collect().told == ["3"])
    }
  }
}
