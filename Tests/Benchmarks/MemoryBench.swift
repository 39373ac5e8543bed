import LocalStack
import Logging
import MQTTClient
import NIOCore

/// Whether memory stays flat: a steady load on every service, and each minute what each process has resident.
///
/// Eight appliances send 200 events a second, a hundred clients hear one of them, a webhook is told of what four rules find, and somebody asks the API ten times a second.
struct MemoryBench {
  let scene: Scene
  let minutes: Int

  private static let (eventsEachSecond, clientCount) = (200, 100)
  private static let parts = ["rules-1", "gateway-1", "api-1", "ingest-1", "persister-1"]
  private static let rules = """
    rules:
      - {id: hot, when: {metric: temperature, operator: ">", value: 198, clear: 150}}
      - {id: long, when: {metric: temperature, operator: ">", value: 20}, for_seconds: 0.1, cooldown_seconds: 5}
      - {id: jump, when: {metric: temperature, operator: "<", value: -100, rate_per_seconds: 1}, cooldown_seconds: 5}
      - {id: mute, when: {no_data_seconds: 5}}
    """

  func run() async throws {
    try await scene.stack.martletctl("apply", "-", input: Self.rules)
    let receiver = try await WebhookBench.receiver()
    try await WebhookBench.addWebhooks(1, inFlight: 8, at: receiver.localAddress?.port ?? 0, to: scene.stack.postgres)
    let crowd = Crowd(port: try scene.gatewayPort, token: scene.token, appliance: Scene.appliances[0])
    try await crowd.open(Self.clientCount)
    let mosquitto = try scene.stack.mosquitto
    let publisher = try MQTTPublisher(
      configuration: MQTTConfiguration(url: mosquitto.url(.simulator), password: mosquitto.password(.simulator), clientID: "bench"),
      logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    // The one that ends is the one that looks on; an error of any ends all.
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await publisher.run() }
      group.addTask { try await publish(through: publisher) }
      group.addTask { try await ask() }
      group.addTask { try await tell() }
      try await group.next()
      group.cancelAll()
    }
    try await crowd.close()
    try await receiver.close()
  }

  private func tell() async throws {
    let start = ContinuousClock.now
    for minute in 0...minutes {
      try await Task.sleep(until: start + .seconds(60 * minute), clock: .continuous)
      var figures: [String] = []
      for part in Self.parts { figures.append("\(part) \(Report.rounded(try await scene.resident_KiB(part) / 1024))") }
      Report.row("resident after \(minute) min of steady load, MiB", figures.joined(separator: ", "))
    }
    let counts = "SELECT (SELECT count(*) FROM events) || ' events, ' || (SELECT count(*) FROM rule_firings) || ' firings, '"
    let deliveries = " || (SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered') || ' messages delivered'"
    Report.row("stored meanwhile", try await scene.stack.postgres.query(counts + deliveries))
  }

  private func publish(through publisher: MQTTPublisher) async throws {
    let start = ContinuousClock.now
    for number in 0... {
      try await Task.sleep(until: start + .milliseconds(number * 1000 / Self.eventsEachSecond), clock: .continuous)
      let appliance = Scene.appliances[number % Scene.appliances.count]
      let payload =
        #"{"temperature":\#(number / Scene.appliances.count * 3 % 200),"n":\#(number),"pad":"\#(String(repeating: "x", count: 180))"}"#
      _ = try await publisher.publish(MQTTPublication(topic: "epicura/\(appliance)/session/progress", payload: Array(payload.utf8)))
    }
  }

  private func ask() async throws {
    let api = try scene.stack.service("api-1")
    let paths = [
      "alarms?limit=100", "appliances/\(Scene.appliances[0])/firings", "appliances/\(Scene.appliances[0])/events?order=newest_first",
    ]
    for number in 0... {
      try await Tool.run(
        ["curl", "--fail", "--silent", "--max-time", "10", "--output", "/dev/null", "--config", "-"],
        input:
          "url = \"http://\(api.host):\(api.port)/api/v1/\(paths[number % paths.count])\"\nheader = \"Authorization: Bearer \(scene.token)\"\n"
      )
      try await Task.sleep(for: .milliseconds(100))
    }
  }
}
