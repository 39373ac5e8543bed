import EventLog
import LocalStack
import Logging
import MQTTClient
import Models
import NIOPosix
import RedisClient
import ServiceLifecycle
import Testing

@testable import Ingest
@testable import ServiceRuntime

@Suite("Ingest, against Mosquitto")
struct IngestTests {
  private struct Deployment {
    let stack: LocalStack
    let log = TroubledLog()

    /// Runs ingest as the service does, beside `body`, then cuts it off without a goodbye. `body` begins when both subscribers' filters stand.
    func running(_ body: (Health) async throws -> Void) async throws {
      let broker = try stack.mosquitto
      var configuration = try ConfigurationTests.read(["MARTLET_MQTT_CLIENT_ID": "ingest-1", "MARTLET_MQTT_URL": broker.url(.ingest)])
      configuration.mqtt.readPassword = { broker.password(.ingest) }
      let runner = DeadlineRunner()
      let context = ServiceContext(
        name: "ingest", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, metrics: MetricsRegistry(runner: runner),
        health: Health(runner: runner), eventLoopGroup: MultiThreadedEventLoopGroup.singleton, drainPeriod: .seconds(5))
      let subscribed = AsyncStream.makeStream(of: Void.self)
      let parts = try Ingest.parts(configuration, events: log, commands: log, context) { event in
        if event == .subscribed { subscribed.continuation.yield() }
      }
      context.health.beginServing()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await runner.run() }
        for part in parts { group.addTask { try await part.run() } }
        _ = try await next(2, of: subscribed.stream)
        try await body(context.health)
        group.cancelAll()
      }
    }

    func publish(_ lines: [String], topic: String) async throws {
      try await stack.mosquitto.publish("-q", "1", "-t", topic, "-l", input: lines.map { $0 + "\n" }.joined())
    }

    func taken(_ count: Int) async throws -> [LogEntry.Content] { try await next(count, of: log.appended.stream) }
  }

  private func deploy(_ body: (Deployment) async throws -> Void) async throws {
    try await LocalStack.run(LocalStackConfiguration([.mosquitto])) { stack in
      let deployment = Deployment(stack: stack)
      // Leaves a session at the broker, so that what is published while ingest is away is kept.
      try await deployment.running { _ in }
      try await body(deployment)
    }
  }

  private func number(_ content: LogEntry.Content) -> Int? {
    guard case .event(let event) = content else { return nil }
    return (try? JSONObject(parsing: event.data))?.number("n").map { Int($0) }
  }

  @Test func `device messages become events, bad ones dead letters, in the order they came`() async throws {
    try await deploy { deployment in
      try await deployment.publish([#"{"n":1}"#, "garbage", #"{"n":2}"#], topic: "epicura/EPIC-001/session/progress")
      try await deployment.publish(["{}"], topic: "epicura/EPIC-001/command/start")
      try await deployment.publish([#"{"n":3}"#], topic: "martlet/EPIC-001/events/door.opened")
      try await deployment.running { _ in
        let contents = try await deployment.taken(4)
        #expect(Set(contents.compactMap(number)) == [1, 2, 3])
        #expect(contents.compactMap(number).filter { $0 < 3 } == [1, 2])
        let letters = contents.compactMap { if case .deadLetter(let letter) = $0 { letter } else { nil } }
        #expect(letters.map(\.payload) == [Array("garbage".utf8)])
        #expect(letters.first?.topic == "epicura/EPIC-001/session/progress")
      }
    }
  }

  @Test func `appends that fail, or whose answer is lost, neither lose nor double a message`() async throws {
    try await deploy { deployment in
      let count = 2000
      try await deployment.publish((0..<count).map { #"{"n":\#($0)}"# }, topic: "martlet/a/events/telemetry")
      deployment.log.plan([.refusal, .lostAnswer, .refusal, .lostAnswer, .lostAnswer])
      try await deployment.running { _ in
        let taken = try await deployment.taken(count)
        #expect(taken.compactMap(number) == Array(0..<count))
      }
      // Cut off before the acknowledgements had left, the last batch comes again, and is refused.
      try await deployment.publish([#"{"n":\#(count)}"#], topic: "martlet/a/events/telemetry")
      try await deployment.running { _ in
        let taken = try await deployment.taken(1)
        #expect(taken.compactMap(number) == [count])
      }
      let contents = try await deployment.log.contents()
      #expect(contents.compactMap(number) == Array(0...count))
    }
  }

  @Test func `equal readings are all kept`() async throws {
    try await deploy { deployment in
      try await deployment.publish(Array(repeating: #"{"n":1}"#, count: 50), topic: "martlet/a/events/telemetry")
      try await deployment.running { _ in
        let taken = try await deployment.taken(50)
        #expect(taken.count == 50)
      }
    }
  }

  @Test func `a full log leaves messages at the broker until it has room`() async throws {
    try await deploy { deployment in
      deployment.log.fill(percent: 99)
      try await deployment.running { _ in
        // Two looks: the first of them has surely closed the valve.
        _ = try await next(2, of: deployment.log.usageAsked.stream)
        try await deployment.publish((0..<100).map { #"{"n":\#($0)}"# }, topic: "martlet/a/events/x")
        _ = try await next(1, of: deployment.log.usageAsked.stream)
        #expect(try await deployment.log.contents().isEmpty)
        deployment.log.fill(percent: 10)
        #expect(try await deployment.taken(100).compactMap(number) == Array(0..<100))
      }
    }
  }

  @Test func `readiness follows the broker`() async throws {
    try await deploy { deployment in
      try await deployment.running { health in
        #expect(await health.report().status == "ready")
        try await deployment.stack.stop("mosquitto")
        var failed = await health.report().checks.filter { $0.outcome != .ok }
        while failed.count < 2 { failed = await health.report().checks.filter { $0.outcome != .ok } }
        #expect(failed.map(\.name) == ["mqtt", "mqtt_answers"])
        #expect(failed.allSatisfy { $0.reason?.contains("MQTT broker") == true })
      }
    }
  }

  @Test func `a refused login at Redis ends the start with a sentence`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let environment = [
        "MARTLET_MQTT_CLIENT_ID": "ingest-1", "MARTLET_REDIS_URL": try stack.redis.url(.ingest), "MARTLET_REDIS_PASSWORD": "wrong-secret",
      ]
      let runner = DeadlineRunner()
      let context = ServiceContext(
        name: "ingest", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, metrics: MetricsRegistry(runner: runner),
        health: Health(runner: runner), eventLoopGroup: MultiThreadedEventLoopGroup.singleton, drainPeriod: .seconds(5))
      let configuration = try ConfigurationTests.read(environment)
      let error = await #expect(throws: RedisError.self) { _ = try await Ingest.build(configuration, context) }
      #expect(error?.code == .authentication)
      #expect(error?.description.contains("wrong-secret") == false)
    }
  }
}
