import ArgumentParser
import LocalStack
import ServiceRuntime

/// Measures the whole backbone on this machine and prints what came out. Nothing is asserted: a figure is for a person to compare.
@main
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure throughput, latency, CPU and memory on servers of its own, and print the figures.")

  @Option(help: "Messages from MQTT to PostgreSQL.") var messages = 100_000
  @Option(help: "Clients of one appliance.") var clients = 1000
  @Option(help: "Idle connections.") var idle = 10_000
  @Option(help: "Seconds of the steady fan-out.") var seconds = 10
  @Option(help: "Stops to one device, idle and again while it floods.") var stops = 500
  @Option(help: "Events for the rules.") var ruleEvents = 200_000
  @Option(help: "Messages to webhooks.") var webhookMessages = 20_000
  @Option(help: "Events of ten readings for the engine of the rules.") var engineEvents = 50_000
  @Flag(help: "Measure only the rules.") var onlyRules = false
  @Flag(help: "Measure only webhooks.") var onlyWebhooks = false
  @Flag(help: "Measure only stops to a cooker.") var onlyStops = false
  @Flag(help: "Measure only a robot's stops and its events to consoles.") var onlyRobots = false
  @Option(help: "Instead, tell each minute of so many what every service has in memory under a steady load.") var minutes: Int?

  func validate() throws {
    if let minutes, !(1...1440).contains(minutes) { throw ValidationError("--minutes is \(minutes): give a number from 1 to 1440.") }
  }

  func run() async throws {
    OpenFiles.raiseLimit()
    if onlyRules {
      Report.heading()
      return try await measureRules()
    }
    var configuration = LocalStackConfiguration.whole(gateways: 1, rules: 1)
    configuration.postgresSyncsToDisk = true
    configuration.environment = ["MARTLET_LOG_LEVEL": "warning"]
    configuration.progress = { Report.progress($0) }
    if onlyWebhooks { configuration.services = [] }
    configuration.services.removeAll { $0.executable == "rules" }
    configuration.services.append(MartletService.Plan("rules", environment: WebhookBench.environment))
    try await LocalStack.run(configuration) { stack in
      let scene = try await Scene(stack)
      Report.heading()
      if let minutes { return try await MemoryBench(scene: scene, minutes: minutes).run() }
      if onlyStops { return try await StopBench(scene: scene, stopCount: stops).run() }
      if onlyRobots { return try await RobotBench(scene: scene, stopCount: stops).run() }
      try await WebhookBench(scene: scene, messageCount: webhookMessages).run()
      if onlyWebhooks { return }
      try await IngestBench(scene: scene, messageCount: messages).run()
      try await FanOutBench(scene: scene, clientCount: clients, seconds: seconds).run()
      try await StopBench(scene: scene, stopCount: stops).run()
      try await RobotBench(scene: scene, stopCount: stops).run()
      try await IdleBench(scene: scene, connectionCount: idle).run()
    }
    if !onlyWebhooks, !onlyStops, !onlyRobots, minutes == nil { try await measureRules() }
  }

  private func measureRules() async throws {
    try RulesBench(eventCount: ruleEvents).run()
    try await EngineBench(eventCount: engineEvents).run()
  }
}
