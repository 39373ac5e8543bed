import Foundation
import UnixSignals

/// What the `localstack` program does: the whole stack in a folder, in the foreground or in the background.
package struct StackSession: Sendable {
  private let folder: StackFolder
  private let gateways: Int
  private let signaling: Int
  private let only: [String]

  /// - Parameters:
  ///   - folder: for data, logs and secrets; kept.
  ///   - gateways: how many gateway replicas serve behind nginx.
  ///   - signaling: how many signaling brokers.
  ///   - only: start just these servers and no service; empty for the whole.
  package init(folder: String, gateways: Int, signaling: Int = 1, only: [String] = []) throws {
    for name in only where StackServer(rawValue: name) == nil || name == StackServer.nginx.rawValue {
      throw LocalStackError(.unknownPart, part: "--only", "There is no server `\(name)`; give postgres, redis or mosquitto.")
    }
    for (option, count) in [("--gateways", gateways), ("--signaling", signaling)] where !(1...16).contains(count) {
      throw LocalStackError(.unusable, part: option, "It is \(count); give a number from 1 to 16.")
    }
    self.folder = try StackFolder(folder)
    self.gateways = gateways
    self.signaling = signaling
    self.only = only
  }

  /// Starts the stack, tells its addresses, and keeps it until SIGINT or SIGTERM.
  package func run() async throws {
    try await withStack { stack in
      Console.say("ready; SIGTERM, Ctrl-C or `make down` stops it")
      await Self.waitForStopSignal()
      Console.say("stopping")
    }
  }

  /// Starts the stack, a simulated cooker and a simulated lab controller, and follows the live events until SIGINT or SIGTERM.
  package func demo() async throws {
    try await withStack { stack in
      try await stack.keepMartletctl("simulator", ["simulate", "epicura", Demo.appliance])
      let proof = try await stack.martletctl("token", "--device", Demo.controller, "--lifetime", "366d")
      try await stack.keepMartletctl(
        "controller", ["simulate", "webmacs", Demo.controller, "--url", "\(stack.nginx.url)/ws/controller/telemetry"],
        environment: ["MARTLET_DEVICE_SECRET": proof])
      let token = try String(contentsOfFile: folder.tokenFile, encoding: .utf8)
      Console.say(
        try Demo.introduction(
          page: stack.nginx.pageURL, webSocket: "\(stack.nginx.url)/ws", token: token, tokenFile: folder.tokenFile, api: stack.nginx.apiURL,
          passwordFile: folder.secretFile(Demo.secret), programs: stack.configuration.executables))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await stack.followMartletctl(["tail", Demo.appliance]) }
        group.addTask { await Self.waitForStopSignal() }
        defer { group.cancelAll() }
        try await group.next()
      }
      Console.say("stopping")
    }
  }

  /// Starts the stack in a process of its own and returns when it is ready.
  package func up() async throws {
    if let report = StackReport.ofRunningStack(in: folder) {
      Console.say("It runs already, as process \(report.process); \(folder.reportFile) has the addresses.")
      return
    }
    let log = folder.log("stack")
    try folder.writePrivate("", to: log)
    let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let detach = #"setsid "$@" </dev/null >>"$0" 2>&1 & echo $!"#
    let identifier = try await Tool.run(
      ["sh", "-c", detach, log, program, "run", "--folder", folder.path, "--gateways", String(gateways), "--signaling", String(signaling)]
        + only.flatMap { ["--only", $0] }, named: "localstack")
    try await follow(log: log, until: Int32(identifier) ?? 0)
  }

  /// Ends the stack of the folder in good order and returns when its last process has gone.
  package func down() async throws {
    guard let report = StackReport.ofRunningStack(in: folder) else {
      Console.say("Nothing runs in \(folder.path).")
      return
    }
    kill(report.process, SIGTERM)
    try await Tool.run(["tail", "--pid=\(report.process)", "-s", "0.05", "-f", "/dev/null"], named: "localstack", limit: .seconds(60))
    try await Tool.run(["flock", "-w", "60", folder.lockFile, "true"], named: "localstack", limit: .seconds(70))
    Console.say("stopped; the data stays in \(folder.path)")
  }

  private func withStack(_ body: @Sendable (LocalStack) async throws -> Void) async throws {
    if let report = StackReport.ofRunningStack(in: folder) {
      throw LocalStackError(
        .unusable, part: "folder", "\(folder.path) is in use by process \(report.process); end that stack with `make down`.")
    }
    var configuration =
      only.isEmpty
      ? LocalStackConfiguration.whole(gateways: gateways, signaling: signaling, rules: 1, folder: folder.path)
      : LocalStackConfiguration(Set(only.compactMap(StackServer.init(rawValue:))), folder: folder.path)
    configuration.httpPort = 8080
    configuration.mqttPort = 1883
    configuration.progress = { Console.say($0) }
    Console.say("starting in \(folder.path)")
    defer { try? FileManager.default.removeItem(atPath: folder.reportFile) }
    try await LocalStack.run(configuration) { stack in
      var report = StackReport(stack)
      if only.isEmpty {
        Console.say("applying deploy/demo.yaml")
        Console.say(try await stack.martletctl("apply", DeployFiles.path("demo.yaml")))
        _ = try folder.secret(Demo.secret)
        let password = "users: [{id: \(Demo.user), password_file: '\(folder.secretFile(Demo.secret))'}]\n"
        try await stack.martletctl("apply", "-", input: password)
        try folder.writePrivate(await stack.martletctl("token", Demo.user, "--lifetime", "7d"), to: folder.tokenFile)
        (report.tokenFile, report.passwordFile) = (folder.tokenFile, folder.secretFile(Demo.secret))
      }
      try report.write(to: folder)
      Console.say(
        "page \(report.page ?? "-")   WebSocket \(report.webSocket ?? "-")   API \(report.api ?? "-")   MQTT \(report.mqtt ?? "-")   everything else: \(folder.reportFile)"
      )
      try await body(stack)
    }
    Console.say("stopped")
  }

  /// Copies what the background process says until it is ready.
  private func follow(log: String, until identifier: Int32) async throws {
    var seen = 0
    while true {
      let isAlive = kill(identifier, 0) == 0
      let lines = (try? String(contentsOfFile: log, encoding: .utf8))?.split(separator: "\n") ?? []
      for line in lines.dropFirst(seen) { Console.say(String(line)) }
      seen = lines.count
      if let report = StackReport.ofRunningStack(in: folder), report.process == identifier { return }
      guard isAlive else {
        throw LocalStackError(.ended, part: "localstack", "The stack could not be started; the reason is above and in \(log).")
      }
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  private static func waitForStopSignal() async {
    for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return }
  }
}
