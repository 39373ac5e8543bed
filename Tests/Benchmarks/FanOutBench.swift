import Foundation
import LocalStack
import Logging
import MQTTClient
import NIOPosix

/// One appliance, many clients: a steady rate with its latency and cost, then as fast as it goes.
struct FanOutBench {
  let scene: Scene
  let clientCount: Int
  let seconds: Int

  private static let topic = "epicura/\(Scene.appliances[0])/session/progress"
  private static let rate_hertz = 10

  func run() async throws {
    let crowd = Crowd(port: try scene.gatewayPort, token: scene.token, appliance: Scene.appliances[0])
    let opening = ContinuousClock.now
    try await crowd.open(clientCount)
    Report.row("\(clientCount) clients connected and subscribed", "in \(Report.rounded((ContinuousClock.now - opening).seconds, 2)) s")
    try await steady(crowd)
    try await saturated(crowd)
    try await crowd.close()
  }

  private func steady(_ crowd: Crowd) async throws {
    let mosquitto = try scene.stack.mosquitto
    let publisher = try MQTTPublisher(
      configuration: MQTTConfiguration(url: mosquitto.url(.simulator), password: mosquitto.password(.simulator), clientID: "bench"),
      logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    let count = seconds * Self.rate_hertz
    let (cpu, received) = (try await scene.cpu_seconds("gateway-1"), crowd.tally.events)
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await publisher.run() }
      for number in 0..<count {
        try await Task.sleep(until: start + .milliseconds(number * 1000 / Self.rate_hertz), clock: .continuous)
        let payload = #"{"sent_us":\#(Tally.now_us()),"temperature":148.5,"pad":"\#(String(repeating: "x", count: 180))"}"#
        _ = try await publisher.publish(MQTTPublication(topic: Self.topic, payload: Array(payload.utf8)))
      }
      try await crowd.tally.wait(events: received + count * clientCount)
      group.cancelAll()
    }
    let used = try await scene.cpu_seconds("gateway-1") - cpu
    let deliveries = Double(count * clientCount)
    let rate = deliveries / (ContinuousClock.now - start).seconds
    let latencies = crowd.tally.latencies_us.sorted()
    Report.row("\(clientCount) clients of one appliance", "\(Report.rounded(rate, 0)) deliveries/s")
    Report.row("gateway CPU for that", "\(Report.rounded(used * 1_000_000 / deliveries, 1)) s per million deliveries")
    Report.row(
      "MQTT publish to WebSocket, \(clientCount) clients",
      "p50 \(Report.rounded(Report.percentile(latencies, 0.5), 2)) ms, p99 \(Report.rounded(Report.percentile(latencies, 0.99), 2)) ms")
  }

  private func saturated(_ crowd: Crowd) async throws {
    let count = 5000
    let line = #"{"temperature":148.5,"pad":"\#(String(repeating: "x", count: 180))"}"# + "\n"
    let (cpu, received) = (try await scene.cpu_seconds("gateway-1"), crowd.tally.events)
    let start = ContinuousClock.now
    // Discrete events, so that a client which falls behind is given every one.
    try await scene.stack.mosquitto.publish(
      "-q", "1", "-t", "epicura/\(Scene.appliances[0])/alert", "-l", input: String(repeating: line, count: count), limit: .seconds(120))
    try await crowd.tally.wait(events: received + count * clientCount)
    let used = try await scene.cpu_seconds("gateway-1") - cpu
    let deliveries = Double(count * clientCount)
    Report.row(
      "the same, as fast as one publisher goes",
      "\(Report.rounded(deliveries / (ContinuousClock.now - start).seconds, 0)) deliveries/s, "
        + "gateway CPU \(Report.rounded(used * 1_000_000 / deliveries, 2)) s per million")
  }
}

/// Connections that are subscribed and hear nothing.
struct IdleBench {
  let scene: Scene
  let connectionCount: Int

  func run() async throws {
    let crowd = Crowd(port: try scene.gatewayPort, token: scene.token, appliance: Scene.appliances[1])
    let before = try await scene.resident_KiB("gateway-1")
    let cpu = try await scene.cpu_seconds("gateway-1")
    try await crowd.open(connectionCount)
    let used = try await scene.cpu_seconds("gateway-1") - cpu
    let after = try await scene.resident_KiB("gateway-1")
    Report.row(
      "resident memory of an idle, subscribed connection at \(connectionCount)",
      "\(Report.rounded((after - before) / Double(connectionCount), 2)) KiB")
    Report.row(
      "gateway CPU to accept, authenticate and subscribe one", "\(Report.rounded(used * 1_000_000 / Double(connectionCount), 0)) µs")
    try await crowd.close()
  }
}
