import Models
import NIOCore
import Testing

@testable import Gateway

@Suite struct DeliveryLaneTests {
  private func numbers(_ lane: inout DeliveryLane) -> [UInt64] { lane.takeAll().map { $0.id?.milliseconds ?? 0 } }

  private func append(_ lane: inout DeliveryLane, _ frame: DeliveryLane.Frame) -> Bool { lane.append(frame) }

  @Test func `Telemetry is conflated to the newest of its appliance and type, in order`() {
    var lane = DeliveryLane(bytesMax: 1000)
    for frame in [
      Samples.frame("cooking:progress", 1), Samples.frame("cooking:stage_change", 2),
      Samples.frame("cooking:progress", 3, of: Samples.other),
      Samples.frame("telemetry.a", 4), Samples.frame("cooking:progress", 5),
    ] { #expect(append(&lane, frame)) }
    #expect(lane.conflatedCount == 1)
    #expect(lane.byteCount == 40)
    #expect(numbers(&lane) == [2, 3, 4, 5])
    #expect(lane.isEmpty)
  }

  @Test func `Discrete events are all kept, in order, up to the bound`() {
    var lane = DeliveryLane(bytesMax: 30)
    for number in 1...3 { #expect(append(&lane, Samples.frame("cooking:error", UInt64(number)))) }
    #expect(!append(&lane, Samples.frame("cooking:error", 4)))
    #expect(numbers(&lane) == [1, 2, 3])
  }

  @Test func `Telemetry makes room for discrete events, and gives up before them`() {
    var lane = DeliveryLane(bytesMax: 30)
    #expect(append(&lane, Samples.frame("cooking:progress", 1)))
    #expect(append(&lane, Samples.frame("telemetry.a", 2)))
    #expect(append(&lane, Samples.frame("cooking:error", 3, bytes: 20)))
    #expect(append(&lane, Samples.frame("telemetry.b", 4, bytes: 20)))
    #expect(lane.conflatedCount == 3)
    #expect(numbers(&lane) == [3])
  }

  @Test func `Thousands of updates of one value take the room of one`() {
    var lane = DeliveryLane(bytesMax: 25)
    for number in 1...5000 { #expect(append(&lane, Samples.frame("cooking:progress", UInt64(number % 250)))) }
    #expect(lane.byteCount == 10)
    #expect(numbers(&lane) == [0])
  }

  @Test func `It empties in order and in parts, and goes on conflating in between`() {
    var lane = DeliveryLane(bytesMax: 1000)
    for frame in [Samples.frame("cooking:error", 1), Samples.frame("cooking:progress", 2), Samples.frame("cooking:error", 3)] {
      #expect(append(&lane, frame))
    }
    let first = lane.take(bytes: 5)
    #expect(first.readableBytes == 10)
    #expect(first.readableBytesView.first == 1)
    #expect(append(&lane, Samples.frame("cooking:progress", 4)))
    #expect(numbers(&lane) == [3, 4])
  }
}
