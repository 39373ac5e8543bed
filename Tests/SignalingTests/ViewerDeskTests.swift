import Models
import Testing

@testable import Signaling

@Suite(.timeLimit(.minutes(1))) struct ViewerDeskTests {
  @Test func `What its client is not known to have stays within bounds, and the rest is sent when the pong has come`() async throws {
    try await BrokerScene.run { scene in
      let place = Place()
      let lost = try await scene.viewer(place, 7)
      let watch = try await scene.watch(lost)
      for number in 1...199 { try await scene.candidate(number, in: watch) }
      let all = ["signal_answer"] + (1...199).map(String.init)
      let first = try await lost.collect()
      #expect(first.told == Array(all.prefix(Delivery.countMax)) && first.last == .askReceipt)
      #expect(try await lost.collect() == [])

      // It has had none of it, and comes back.
      let back = try await scene.viewer(place, 8)
      let resumed = try await back.hears("signal_ice", #"{"session_id":"\#(watch)","candidate":null}"#)
      #expect(resumed.told == first.told)
      let rest = try await back.receipt()
      #expect(rest.told == Array(all.dropFirst(Delivery.countMax)) && rest.last == .askReceipt)
      #expect(try await back.receipt() == [])
      #expect(try await back.collect() == [])
    }
  }

  @Test func `A client that answers no ping is told all, a while later`() async throws {
    try await BrokerScene.run { scene in
      let viewer = try await scene.viewer(Place(), 7)
      let watch = try await scene.watch(viewer)
      for number in 1...199 { try await scene.candidate(number, in: watch) }
      #expect(try await viewer.collect().told.count == Delivery.countMax)
      #expect(try await viewer.receiptOverdue().told == (Delivery.countMax...199).map(String.init))
      for number in 200...400 { try await scene.candidate(number, in: watch) }
      #expect(try await viewer.collect().told == (200...400).map(String.init))
    }
  }

  @Test func `A client that goes on with a word that is refused has what waits for it`() async throws {
    try await BrokerScene.run { scene in
      let place = Place()
      let watch = try await scene.watch(scene.viewer(place, 7))
      for number in 1...2 { try await scene.candidate(number, in: watch) }
      let back = try await scene.viewer(place, 8)
      let replies = try await back.hears("signal_answer", #"{"session_id":"\#(watch)","sdp":{}}"#)
      #expect(replies.told == ["signal_answer", "1", "2"])
      #expect(replies.last == .refuse("A viewer does not send 'signal_answer'", nil))
    }
  }
}
