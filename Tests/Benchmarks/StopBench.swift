import Commands
import EventLog
import Foundation
import LocalStack
import Logging
import MQTTClient
import Models
import NIOPosix
import RedisClient
import Synchronization

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
      try await flooded(appliance, &stops)
      group.cancelAll()
    }
  }

  /// From four publishers, again and again until the stops are through. `mosquitto_pub -l` ends early past 65,535 messages, so each goes in parts.
  private func flooded(_ appliance: ApplianceID, _ stops: inout Stops) async throws {
    let lines = (0..<Self.floodPartCount).map {
      #"{"session_id":"bench","current_stage":3,"temperature":148.5,"time_remaining_s":\#($0)}"# + "\n"
    }
    let (mosquitto, isOver, text) = (try scene.stack.mosquitto, Flag(), lines.joined())
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var count = 0
          while !isOver.isRaised.load(ordering: .relaxed) {
            try await mosquitto.publish("-q", "1", "-t", "epicura/\(appliance)/session/progress", "-l", input: text, limit: .seconds(300))
            count += Self.floodPartCount
          }
          return count
        }
      }
      let times = try await stops.times_us { $0 < stopCount }
      isOver.isRaised.store(true, ordering: .relaxed)
      let count = try await group.reduce(0, +)
      let rate = Double(count) / (ContinuousClock.now - start).seconds
      report("under \(Report.rounded(rate, 0)) events/s of the same appliance", times)
    }
  }

  private static let floodPartCount = 10_000

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

private final class Flag: Sendable {
  let isRaised = Atomic<Bool>(false)
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
