import Foundation
import LocalStack

/// From MQTT, QoS 1 and acknowledged, into PostgreSQL: `mosquitto_pub` for each of eight appliances, as fast as the broker takes it.
struct IngestBench {
  let scene: Scene
  let messageCount: Int

  func run() async throws {
    let each = messageCount / Scene.appliances.count
    let lines = (0..<each).map {
      #"{"session_id":"bench","current_stage":3,"stage_name":"Saute Onions","total_stages":6,"progress_pct":42,"temperature":148.5,"#
        + #""target_temperature":150,"stir_active":true,"time_remaining_s":\#($0)}"# + "\n"
    }.joined()
    let mosquitto = try scene.stack.mosquitto
    let parts = ["ingest-1", "persister-1", "redis", "mosquitto"]
    var before: [Double] = []
    for part in parts { before.append(try await scene.cpu_seconds(part)) }
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for appliance in Scene.appliances {
        group.addTask {
          try await mosquitto.publish(
            "-q", "1", "-t", "epicura/\(appliance)/session/progress", "-l", input: lines, limit: .seconds(300))
        }
      }
      try await group.waitForAll()
    }
    let published = ContinuousClock.now - start
    let total = each * Scene.appliances.count
    while try await scene.stack.postgres.query("SELECT count(*) FROM events") != String(total) {
      guard ContinuousClock.now - start < .seconds(300) else { throw BenchError(description: "not all events were stored in 300 s") }
      try await Task.sleep(for: .milliseconds(50))
    }
    let stored = ContinuousClock.now - start
    Report.row("MQTT QoS 1 accepted by the broker, \(total) messages", "\(Report.rounded(Double(total) / published.seconds, 0)) /s")
    Report.row("MQTT to PostgreSQL, \(total) events with 6 readings each", "\(Report.rounded(Double(total) / stored.seconds, 0)) events/s")
    for (part, cpu) in zip(parts, before) {
      let used = try await scene.cpu_seconds(part) - cpu
      Report.row("CPU of \(part) for it", "\(Report.rounded(used * 1_000_000 / Double(total), 1)) µs an event")
    }
  }
}

struct BenchError: Error, CustomStringConvertible { let description: String }
