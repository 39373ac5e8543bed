import LocalStack

/// Numbered messages of several appliances, telemetry and discrete events, so that each can be accounted for.
struct NumberedLoad: Sendable {
  let appliances: [String]
  /// Numbers 0 ..< count of each kind for each appliance.
  let telemetryCount: Int
  let discreteCount: Int

  var total: Int { appliances.count * (telemetryCount + discreteCount) }

  /// Publishes part `part` of `parts` at QoS 1 with one `mosquitto_pub` per appliance and kind, and returns once the broker has
  /// acknowledged it.
  func publish(part: Int, of parts: Int, to mosquitto: MosquittoServer) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for appliance in appliances {
        for (topic, count) in [("progress", telemetryCount), ("stage_change", discreteCount)] {
          let numbers = (count * part / parts)..<(count * (part + 1) / parts)
          let lines = numbers.map { #"{"n":\#($0)}"# + "\n" }.joined()
          group.addTask {
            try await mosquitto.publish(
              "-q", "1", "-t", "epicura/\(appliance)/session/\(topic)", "-l", input: lines, limit: .seconds(180))
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// Publishes one last message per appliance. What the broker redelivers comes before it, so once it is stored, all is.
  func publishEnd(to mosquitto: MosquittoServer) async throws {
    for appliance in appliances { try await mosquitto.publish("-q", "1", "-t", "epicura/\(appliance)/session/complete", "-m", "{}") }
  }

  /// Waits until everything is stored, and checks that each number is there exactly once.
  func waitUntilStored(in backbone: Backbone, limit: Duration) async throws {
    try await backbone.waitForRow(
      String(appliances.count), limit: limit, "SELECT count(*) FROM events WHERE type = 'cooking:complete'")
    let perKind = """
      SELECT type, count(*), count(DISTINCT (appliance_id, data->>'n')), max((data->>'n')::int) FROM events
      WHERE type IN ('cooking:progress', 'cooking:stage_change') GROUP BY type ORDER BY type
      """
    let (telemetry, discrete) = (appliances.count * telemetryCount, appliances.count * discreteCount)
    try await backbone.waitForRow(
      "cooking:progress|\(telemetry)|\(telemetry)|\(telemetryCount - 1)\ncooking:stage_change|\(discrete)|\(discrete)|\(discreteCount - 1)",
      limit: .seconds(5), perKind)
  }
}
