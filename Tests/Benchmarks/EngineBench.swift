import EventLog
import LocalStack
import Logging
import Models
import NIOPosix
import RedisClient

/// The rules' whole way with servers: a log that is full of events, until each has taken effect and its cursor is committed. 1,000 rules, each for one metric of one of 100
/// appliances; an event has ten readings, and one rule looks at each of them. A stack of its own, in which nothing else reads the log.
struct EngineBench {
  let eventCount: Int

  private static let (applianceCount, metricCount) = (100, 10)
  private static let part = "rules-1"

  func run() async throws {
    var configuration = LocalStackConfiguration([.postgres, .redis, .mosquitto])
    configuration.services = [MartletService.Plan("rules")]
    configuration.environment = ["MARTLET_LOG_LEVEL": "warning"]
    configuration.postgresSyncsToDisk = true
    try await LocalStack.run(configuration) { stack in
      try await stack.martletctl("apply", "-", input: Self.rules, limit: .seconds(120))
      try await stack.stop(Self.part)
      try await fill(stack)
      try await stack.start(Self.part)
      try await measure(stack)
    }
  }

  private func measure(_ stack: LocalStack) async throws {
    // Until it has stored anything: what came before counts for neither.
    let begin = try await moment(stack) { $0 > 0 }
    let end = try await moment(stack) { $0 >= eventCount * Self.metricCount }
    let readings = Double(end.readings - begin.readings)
    Report.row(
      "rules engine, 1,000 rules, into PostgreSQL, one replica",
      "\(Report.rounded(readings / (end.at - begin.at).seconds, 0)) readings/s in events of ten, "
        + "\(Report.rounded((end.cpu_seconds - begin.cpu_seconds) * 1_000_000 / max(readings, 1), 2)) µs of its CPU each")
    let counts = try await stack.postgres.query(
      "SELECT count(*) || ' firings, ' || (SELECT count(*) FROM alarms) || ' alarms' FROM rule_firings")
    Report.row("what came of them", counts)
    Report.row(
      "resident memory of the replica, with the first of them and with all",
      "\(Report.rounded(begin.resident_KiB / 1024, 0)) MiB, \(Report.rounded(end.resident_KiB / 1024, 0)) MiB")
  }

  /// How far the replica is, and what it has used for that.
  private struct Moment {
    let at: ContinuousClock.Instant
    let readings: Int
    let cpu_seconds: Double
    let resident_KiB: Double
  }

  /// The first moment at which so many readings have taken effect as are wanted.
  private func moment(_ stack: LocalStack, when isReached: (Int) -> Bool) async throws -> Moment {
    let deadline = ContinuousClock.now + .seconds(600)
    while true {
      let line = try await stack.service(Self.part).metrics().split(separator: "\n").last {
        $0.hasPrefix("martlet_rules_evaluations_total ")
      }
      let readings = line?.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) } ?? 0
      if isReached(readings) {
        return Moment(
          at: .now, readings: readings, cpu_seconds: try await Scene.cpu_seconds(Self.part, of: stack),
          resident_KiB: try await Scene.resident_KiB(Self.part, of: stack))
      }
      guard .now < deadline else { throw BenchError(description: "only \(readings) readings have taken effect in 600 s") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private static var rules: String {
    let rows = (0..<applianceCount * metricCount).map { number in
      "  - {id: r\(number), appliances: [\"PLANT-\(number / metricCount)-*\"], "
        + "when: {metric: m\(number % metricCount), operator: \">\", value: 98, clear: 90}, actions: {alarm: true}}\n"
    }
    return "rules:\n" + rows.joined()
  }

  private func fill(_ stack: LocalStack) async throws {
    let redis = try stack.redis
    let log = RedisEventLog(
      configuration: try RedisConfiguration(url: redis.url(.gateway), password: redis.password(.gateway)),
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    let type = try EventType("telemetry")
    let names = try (0..<Self.applianceCount).map { try ApplianceID("PLANT-\($0)-") }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await log.run() }
      for start in stride(from: 0, to: eventCount, by: 2000) {
        let entries = (start..<min(start + 2000, eventCount)).map { number in
          let members = (0..<Self.metricCount).map { "\"m\($0)\":\((number / Self.applianceCount * 7 + $0 * 13) % 100)" }
          let event = Event(
            type: type, applianceID: names[number % names.count], timestamp: .now(), data: Array("{\(members.joined(separator: ","))}".utf8)
          )
          return LogEntry(.event(event), order: event.timestamp)
        }
        _ = try await log.append(entries)
      }
      group.cancelAll()
    }
  }
}
