internal import Models

/// When each sensor's readings go out (the WebMACS document, step 6): at once where the one before is 200 ms old, else the newest of them when it is. Pure.
///
/// Every replica hears every reading from the log and decides for its own apps, so it makes no difference which replica a controller sends to: no app gets
/// a sensor's readings more often, and every app gets the last one.
struct DatapointThrottle {
  typealias Instant = ContinuousClock.Instant

  static let interval = Duration.milliseconds(200)

  private struct Sensor {
    var sent: WebMACSDatapoint?
    var sentAt: Instant?
    /// The number of the emission in which it was sent.
    var emission: UInt64 = 0
    /// The newest, where it has not gone out.
    var waiting: WebMACSDatapoint?
  }

  private var sensors: [String: Sensor] = [:]
  /// Sensors with something that waits, in the order in which it came.
  private var waiting: [String] = []
  /// The number of the last emission.
  private(set) var emission: UInt64 = 0
  /// Readings that gave way to newer ones.
  private(set) var supersededCount = 0

  var sensorCount: Int { sensors.count }

  mutating func take(_ datapoint: WebMACSDatapoint) {
    if sensors[datapoint.eventID]?.waiting == nil { waiting.append(datapoint.eventID) } else { supersededCount += 1 }
    sensors[datapoint.eventID, default: Sensor()].waiting = datapoint
  }

  /// What goes out now, and when there is more to go out.
  mutating func emit(now: Instant) -> (datapoints: [WebMACSDatapoint], next: Instant?) {
    var (due, later, next): ([WebMACSDatapoint], [String], Instant?) = ([], [], nil)
    for id in waiting {
      guard var sensor = sensors[id], let datapoint = sensor.waiting else { continue }
      if let dueAt = sensor.sentAt.map({ $0 + Self.interval }), dueAt > now {
        later.append(id)
        next = next.map { min($0, dueAt) } ?? dueAt
      } else {
        due.append(datapoint)
        sensor = Sensor(sent: datapoint, sentAt: now, emission: emission + 1)
        sensors[id] = sensor
      }
    }
    waiting = later
    if !due.isEmpty { emission += 1 }
    return (due, next)
  }

  /// The last readings of the sensors that went out after this emission: what an app that missed those has to be told.
  func sent(after emission: UInt64) -> [WebMACSDatapoint] {
    sensors.values.filter { $0.emission > emission }.sorted { $0.emission < $1.emission }.compactMap(\.sent)
  }

  /// Forgets the sensors that hold nothing back any more.
  mutating func forgetIdle(now: Instant) {
    sensors = sensors.filter { _, sensor in sensor.waiting != nil || sensor.sentAt.map { $0 + Self.interval > now } ?? false }
  }
}
