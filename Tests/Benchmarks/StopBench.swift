import Commands
import EventLog
import Foundation
import LocalStack
import Logging
import MQTTClient
import Models
import NIOPosix
import RedisClient

/// From the acceptance of a `cooking:stop` to the device's socket, idle and while the same appliance floods the broker with telemetry.
struct StopBench {
  let scene: Scene
  let stopCount: Int

  func run() async throws {
    let appliance = try ApplianceID(Scene.appliances[0])
    let (heard, hear) = AsyncStream.makeStream(of: (id: String, at: ContinuousClock.Instant).self)
    let log = try makeLog()
    let device = try makeDevice(appliance) { hear.yield(($0, .now)) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await log.run() }
      group.addTask { try await device.subscriber.run() }
      group.addTask { try await device.publisher.run() }
      for await _ in device.subscribed { break }
      var stops = Stops(desk: CommandDesk(log: log), appliance: appliance, publisher: device.publisher, heard: heard.makeAsyncIterator())
      report("idle", try await stops.times_us { $0 < stopCount })
      for rate in [2_000, 5_000, 10_000, 20_000] { try await flooded(appliance, rate: rate, &stops) }
      group.cancelAll()
    }
  }

  /// With `rate` events a second on their way, as far as they go through.
  private func flooded(_ appliance: ApplianceID, rate: Int, _ stops: inout Stops) async throws {
    let program = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "flood.py").path(percentEncoded: false)
    let environment = try scene.stack.mosquitto.clientEnvironment(.simulator)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await Tool.run(
          ["/usr/bin/python3", program, "epicura/\(appliance)/session/progress", "\(rate)"], environment: environment, limit: .seconds(300))
      }
      try await Task.sleep(for: .seconds(3))
      let (start, before) = (ContinuousClock.now, try await appended(appliance))
      let times = try await stops.times_us { $0 < stopCount }
      let taken = Double(try await appended(appliance) - before) / (ContinuousClock.now - start).seconds
      report("under \(Report.rounded(taken, 0)) events/s of the same appliance", times)
      group.cancelAll()
    }
    // What is still on its way is not to be part of the next figure.
    var (before, now) = (-1, try await appended(appliance))
    while now != before {
      try await Task.sleep(for: .seconds(1))
      (before, now) = (now, try await appended(appliance))
    }
  }

  /// How many events the log has taken in, of the appliance's shard.
  private func appended(_ appliance: ApplianceID) async throws -> Int {
    let lines = try await scene.stack.redis.cli("XINFO", "STREAM", Bus.events(Bus.shard(of: appliance))).split(separator: "\n")
    guard let name = lines.firstIndex(of: "entries-added"), let count = Int(lines[name + 1]) else {
      throw BenchError(description: "Redis does not say how much the log has taken in")
    }
    return count
  }

  private func report(_ what: String, _ times: [Int]) {
    let sorted = times.sorted()
    Report.row(
      "stop accepted to the device's socket, \(what)",
      "p50 \(Report.rounded(Report.percentile(sorted, 0.5), 2)) ms, p99 \(Report.rounded(Report.percentile(sorted, 0.99), 2)) ms")
  }

  private static let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

  private func makeLog() throws -> RedisEventLog {
    let redis = try scene.stack.redis
    return RedisEventLog(
      configuration: try RedisConfiguration(url: redis.url(.gateway), password: redis.password(.gateway)),
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet, writer: "bench")
  }

  private func makeDevice(
    _ appliance: ApplianceID, hear: @escaping @Sendable (String) -> Void
  ) throws -> (subscriber: MQTTSubscriber, publisher: MQTTPublisher, subscribed: AsyncStream<Void>) {
    let mosquitto = try scene.stack.mosquitto
    var configuration = try MQTTConfiguration(
      url: mosquitto.url(.simulator), password: mosquitto.password(.simulator), clientID: "bench-device")
    configuration.sessionExpiry = .zero
    let (subscribed, confirm) = AsyncStream.makeStream(of: Void.self)
    let subscriber = try MQTTSubscriber(
      configuration: configuration, subscriptions: [MQTTSubscription("epicura/\(appliance)/command/stop")], logger: Self.quiet,
      observe: { if $0 == .subscribed { confirm.yield() } },
      handle: { messages, _ in
        for message in messages { hear((try? JSONObject(parsing: message.payload))?.string("command_id") ?? "") }
      })
    configuration.clientID = "bench-device-answers"
    return (subscriber, try MQTTPublisher(configuration: configuration, logger: Self.quiet), subscribed)
  }
}

/// One stop after the other, each answered by its device before the next.
private struct Stops {
  let desk: CommandDesk
  let appliance: ApplianceID
  let publisher: MQTTPublisher
  var heard: AsyncStream<(id: String, at: ContinuousClock.Instant)>.Iterator

  init(
    desk: CommandDesk, appliance: ApplianceID, publisher: MQTTPublisher,
    heard: AsyncStream<(id: String, at: ContinuousClock.Instant)>.Iterator
  ) {
    (self.desk, self.appliance, self.publisher, self.heard) = (desk, appliance, publisher, heard)
  }

  mutating func times_us(while goesOn: (Int) -> Bool) async throws -> [Int] {
    var times: [Int] = []
    while goesOn(times.count) {
      let request = CommandRequest(
        applianceID: appliance, dialect: .epicura, type: try EventType("cooking:stop"), data: Array("{}".utf8), userID: "bench")
      let start = ContinuousClock.now
      let answer = await desk.request(request, permission: .own)
      guard case .accepted(let command) = answer else { throw BenchError(description: "a stop was not accepted: \(answer)") }
      guard let told = await heard.next(), told.id == command.id else { throw BenchError(description: "a stop was not heard, or twice") }
      times.append(Int((told.at - start) / .microseconds(1)))
      let word = Array(#"{"command_id":"\#(command.id)","status":"acknowledged"}"#.utf8)
      try await publisher.publish(MQTTPublication(topic: "epicura/\(appliance)/command/ack", payload: word))
    }
    return times
  }
}
