import Models
import Store

/// The newest readings for dashboards that poll, as the document's datapoints: made once for all who see the same controllers and ask at about the same time.
actor LatestReadings {
  private struct Kept {
    let body: TaggedBody
    let at: ContinuousClock.Instant
  }

  private typealias Waiter = CheckedContinuation<Result<TaggedBody, any Error>?, Never>

  /// A third of the document's 1500 ms: nobody sees anything older by more than that.
  private static let freshFor = Duration.milliseconds(500)
  /// Sets of controllers that are kept; past it all are forgotten.
  private static let countMax = 1024

  private let store: WebMACSStore
  private var kept: [[ApplianceID]: Kept] = [:]
  /// Those who wait for an answer that somebody else has asked for.
  private var waiting: [[ApplianceID]: [Waiter]] = [:]

  init(_ store: WebMACSStore) { self.store = store }

  /// `{"datapoints":[…]}`.
  ///
  /// - Parameter controllers: in their order.
  func body(of controllers: [ApplianceID]) async throws -> TaggedBody {
    while true {
      if let known = kept[controllers], known.at.duration(to: .now) < Self.freshFor { return known.body }
      guard waiting[controllers] != nil else { break }
      let answer = await withCheckedContinuation { waiting[controllers]?.append($0) }
      if let answer { return try answer.get() }
    }
    waiting[controllers] = []
    let answer: Result<TaggedBody, any Error>
    do {
      let body = Self.body(try await store.latest(of: controllers))
      answer = .success(body)
      if kept.count >= Self.countMax { kept.removeAll() }
      kept[controllers] = Kept(body: body, at: .now)
    } catch {
      answer = .failure(error)
    }
    // Whoever gives up takes nobody along: the next in line asks.
    let isCancelled = Task.isCancelled
    for waiter in waiting.removeValue(forKey: controllers) ?? [] { waiter.resume(returning: isCancelled ? nil : answer) }
    return try answer.get()
  }

  private static func body(_ datapoints: [LatestDatapoint]) -> TaggedBody {
    var text: [UInt8] = []
    text.append("{\"datapoints\":[")
    for (index, datapoint) in datapoints.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      WebMACSDatapoint(
        eventID: datapoint.sensorID, value: Array(String(datapoint.value).utf8), timestamp: datapoint.timestamp,
        experimentID: datapoint.experimentID
      ).append(to: &text)
    }
    text.append("]}")
    return TaggedBody(text)
  }
}
