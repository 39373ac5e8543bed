import Foundation
@testable import LocalStack
import Logging
import ServiceLifecycle
import Subprocess
import Synchronization
import Testing

@testable import MQTTClient

/// One broker and the clients around it.
struct Fixture {
  let stack: LocalStack
  let events = Inbox<MQTTConnectionEvent>()
  let messages = Inbox<MQTTMessage>()
  let sessions = Inbox<MQTTSessionInfo>()

  static func run(tls: Bool = false, _ body: (Fixture) async throws -> Void) async throws {
    var configuration = LocalStackConfiguration([.mosquitto])
    configuration.tls = tls
    try await LocalStack.run(configuration) { stack in
      do { try await body(Fixture(stack: stack)) } catch {
        let log = (try? String(contentsOfFile: stack.folder.log("mosquitto"), encoding: .utf8)) ?? "none"
        Issue.record("\(error)\nThe broker's log ends with: \(log.suffix(2000))")
      }
    }
  }

  static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  func configuration(
    _ clientID: String = "subscriber", _ version: MQTTConfiguration.ProtocolVersion = .v5, user: MosquittoServer.User = .admin
  ) throws -> MQTTConfiguration {
    let broker = try stack.mosquitto
    var configuration = try MQTTConfiguration(url: broker.url(user), password: broker.password(user), clientID: clientID)
    configuration.protocolVersion = version
    return configuration
  }

  func subscriber(
    _ configuration: MQTTConfiguration, to filters: [String] = ["martlet/#"], limits: MQTTSubscriber.Limits = .init(),
    handle: @escaping MQTTSubscriber.Handler = { _, _ in }, prepare: MQTTSubscriber.Preparation? = nil
  ) throws -> MQTTSubscriber {
    let (events, messages, sessions) = (events, messages, sessions)
    return try MQTTSubscriber(
      configuration: configuration, subscriptions: filters.map { MQTTSubscription($0) }, limits: limits, logger: Self.quiet,
      observe: { events.append($0) }, prepare: prepare,
      handle: { batch, session in
        messages.append(contentsOf: batch)
        sessions.append(session)
        try await handle(batch, session)
      })
  }

  func publisher(_ configuration: MQTTConfiguration, limits: MQTTPublisher.Limits = .init()) throws -> MQTTPublisher {
    let events = events
    return try MQTTPublisher(configuration: configuration, limits: limits, logger: Self.quiet) { events.append($0) }
  }

  func subscribed(times: Int = 1) async throws {
    try await events.wait { events in events.filter { $0 == .subscribed }.count >= times }
  }

  func connected(times: Int = 1) async throws {
    try await events.wait { events in events.filter { if case .connected = $0 { true } else { false } }.count >= times }
  }

  /// Publishes lines with `mosquitto_pub`, one message each, at QoS 1, and returns when the broker has acknowledged all.
  func publish(_ payloads: [String], topic: String = "martlet/a1/events/x") async throws {
    try await stack.mosquitto.publish("-q", "1", "-t", topic, "-l", input: payloads.map { $0 + "\n" }.joined())
  }

  /// What `mosquitto_sub` prints for the first message on a topic.
  func firstMessage(on topic: String, format: String = "%p") async throws -> String {
    let environment = try stack.mosquitto.clientEnvironment(.admin).reduce(into: [Environment.Key: String?]()) { values, pair in
      if let key = Environment.Key(rawValue: pair.key) { values[key] = pair.value }
    }
    let result = try await Subprocess.run(
      .name("mosquitto_sub"), arguments: ["-t", topic, "-C", "1", "-W", "20", "-V", "5", "-F", format],
      environment: .inherit.updating(environment), output: .string(limit: 65_536), error: .string(limit: 65_536))
    return result.standardOutput.trimmingCharacters(in: .newlines)
  }
}

/// Runs a client beside `body`, then cancels it, which drops its connection without writing: to the broker it looks like a kill.
func running(_ client: some Sendable & Runnable, _ body: () async throws -> Void) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await client.run() }
    try await body()
    group.cancelAll()
  }
}

protocol Runnable {
  func run() async throws
}
extension MQTTSubscriber: Runnable {}
extension MQTTPublisher: Runnable {}

/// Lets waiters pass once opened.
final class Latch: Sendable {
  private let opened = Inbox<Bool>()
  private let stubborn = Mutex<[CheckedContinuation<Void, Never>]>([])

  func open() {
    opened.append(true)
    stubborn.withLock { waiting in
      for waiter in waiting { waiter.resume() }
      waiting = []
    }
  }

  func pass() async throws { _ = try await opened.wait(count: 1) }

  /// Ignores cancellation, as code does that waits for a lock.
  func passStubbornly() async {
    await withCheckedContinuation { waiter in
      stubborn.withLock { waiting in
        if opened.elements.isEmpty { waiting.append(waiter) } else { waiter.resume() }
      }
    }
  }
}

struct Refusal: Error {}

/// Runs a service beside `body`, which shuts it down gracefully, and waits for its end.
func runningGracefully(_ service: some Service, _ body: (_ shutDown: @Sendable () -> Void) async throws -> Void) async throws {
  let (requests, shutDown) = AsyncStream.makeStream(of: Void.self)
  try await withThrowingTaskGroup(of: Void.self) { group in
    let services = ServiceGroup(
      configuration: .init(services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)], logger: Fixture.quiet)
    )
    group.addTask { try await services.run() }
    group.addTask {
      for await _ in requests {}
      await services.triggerGracefulShutdown()
    }
    try await body { shutDown.finish() }
    shutDown.finish()
    try await group.waitForAll()
  }
}

/// A Mosquitto that denies every subscription, which the access list of a file cannot do.
enum DenyingBroker {
  /// It comes with Mosquitto, in the folder of the machine's architecture.
  private static func plugin() throws -> String {
    let folders = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib")
    let places = folders.map { "/usr/lib/\($0)/mosquitto_dynamic_security.so" }
    return try #require(places.first(where: FileManager.default.fileExists), "Mosquitto's plugin is not installed; run `make packages`.")
  }

  static func run(_ body: (_ url: String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "mqtt-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (rules, settings) = (folder.appending(path: "rules.json"), folder.appending(path: "mosquitto.conf"))
    let port = try Ports.free()
    try #"{"defaultACLAccess":{"subscribe":false},"clients":[],"groups":[],"roles":[]}"#.write(to: rules, atomically: true, encoding: .utf8)
    let lines = try [
      "listener \(port) 127.0.0.1", "allow_anonymous true", "user root", "plugin \(plugin())", "plugin_opt_config_file \(rules.path)",
    ]
    try lines.joined(separator: "\n").write(to: settings, atomically: true, encoding: .utf8)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        _ = try await Subprocess.run(
          .name("env"), arguments: ["PATH=/usr/sbin:/usr/bin:/bin", "mosquitto", "-c", settings.path], output: .discarded, error: .discarded
        )
      }
      try await body("mqtt://127.0.0.1:\(port)")
      group.cancelAll()
    }
  }
}
