import Models
import Testing

@testable import Gateway

@Suite struct DatapointThrottleTests {
  private let start = ContinuousClock.now

  private func datapoint(_ id: String, _ value: Int) -> WebMACSDatapoint {
    WebMACSDatapoint(eventID: id, value: Array(String(value).utf8), timestamp: Samples.time, experimentID: nil)
  }

  private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }
  private func told(_ datapoints: [WebMACSDatapoint]) -> [String] {
    datapoints.map { "\($0.eventID)=\(String(decoding: $0.value, as: UTF8.self))" }
  }

  @Test func `The first goes out at once, and of those within 200 ms the last when they are over`() {
    var throttle = DatapointThrottle()
    throttle.take(datapoint("a", 1))
    #expect(told(throttle.emit(now: at(0)).datapoints) == ["a=1"])
    for value in 2...5 {
      throttle.take(datapoint("a", value))
      let (datapoints, next) = throttle.emit(now: at(value * 30))
      #expect(datapoints.isEmpty && next == at(200))
    }
    #expect(throttle.emit(now: at(199)).datapoints.isEmpty)
    let (datapoints, next) = throttle.emit(now: at(200))
    #expect(told(datapoints) == ["a=5"] && next == nil)
    #expect(throttle.supersededCount == 3)
    #expect(throttle.emit(now: at(400)).datapoints.isEmpty)
    throttle.take(datapoint("a", 6))
    #expect(told(throttle.emit(now: at(401)).datapoints) == ["a=6"])
  }

  @Test func `Within one batch the last of a sensor counts`() {
    var throttle = DatapointThrottle()
    for value in 1...3 { throttle.take(datapoint("a", value)) }
    throttle.take(datapoint("b", 9))
    #expect(told(throttle.emit(now: at(0)).datapoints) == ["a=3", "b=9"])
  }

  @Test func `Sensors hold each other up no more than they must`() {
    var throttle = DatapointThrottle()
    throttle.take(datapoint("a", 1))
    _ = throttle.emit(now: at(0))
    throttle.take(datapoint("b", 1))
    throttle.take(datapoint("a", 2))
    let (datapoints, next) = throttle.emit(now: at(50))
    #expect(told(datapoints) == ["b=1"] && next == at(200))
    throttle.take(datapoint("b", 2))
    #expect(throttle.emit(now: at(60)).next == at(200))
    let later = throttle.emit(now: at(210))
    #expect(told(later.datapoints) == ["a=2"] && later.next == at(250))
    #expect(told(throttle.emit(now: at(250)).datapoints) == ["b=2"])
  }

  @Test func `Whatever the order of things, no sensor goes out within 200 ms and the last value always does`() {
    for seed in 0..<50 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var throttle = DatapointThrottle()
      var (last, sent): ([String: Int], [String: [(at: Int, value: Int)]]) = ([:], [:])
      var (now, next): (Int, ContinuousClock.Instant?) = (0, nil)
      func emit() {
        let (datapoints, due) = throttle.emit(now: at(now))
        for datapoint in datapoints {
          sent[datapoint.eventID, default: []].append((now, Int(String(decoding: datapoint.value, as: UTF8.self)) ?? -1))
        }
        next = due
      }
      for value in 0..<300 {
        now += Int.random(in: 0...40, using: &random)
        if let due = next, due <= at(now) { emit() }
        let id = String(Int.random(in: 0..<4, using: &random))
        throttle.take(datapoint(id, value))
        last[id] = value
        if Bool.random(using: &random) { emit() }
      }
      emit()
      while next != nil {
        now += 7
        emit()
      }
      for (id, values) in sent {
        #expect(values.last?.value == last[id], "seed \(seed), sensor \(id)")
        for (before, after) in zip(values, values.dropFirst()) { #expect(after.at - before.at >= 200, "seed \(seed), sensor \(id)") }
      }
    }
  }

  @Test func `Who missed emissions is told the last reading of each sensor that went out since`() {
    var throttle = DatapointThrottle()
    throttle.take(datapoint("a", 1))
    throttle.take(datapoint("b", 1))
    _ = throttle.emit(now: at(0))
    let known = throttle.emission
    #expect(throttle.sent(after: known).isEmpty)
    throttle.take(datapoint("a", 2))
    _ = throttle.emit(now: at(300))
    throttle.take(datapoint("c", 1))
    throttle.take(datapoint("a", 3))
    _ = throttle.emit(now: at(600))
    #expect(told(throttle.sent(after: known)).sorted() == ["a=3", "c=1"])
    #expect(throttle.sent(after: 0).count == 3)
  }

  @Test func `A sensor that waits is not forgotten, one that is quiet is`() {
    var throttle = DatapointThrottle()
    for id in ["a", "b"] { throttle.take(datapoint(id, 1)) }
    _ = throttle.emit(now: at(0))
    throttle.take(datapoint("a", 2))
    throttle.forgetIdle(now: at(250))
    #expect(throttle.sensorCount == 1)
    #expect(told(throttle.emit(now: at(250)).datapoints) == ["a=2"])
  }
}
