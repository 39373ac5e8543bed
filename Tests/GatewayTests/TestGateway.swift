import Access
import EventLog
import Foundation
import Logging
import Models
import NIOCore
import NIOPosix
import ServiceLifecycle
import ServiceRuntime
import Store
import Synchronization
import WebSocketTestClient
import WebSocketTransport

@testable import Gateway

/// Who exists and who may see what, as the test says.
final class TestDirectory: AccessDirectory, DeviceDirectory, ControllerDirectory {
  struct Down: Error {}
  struct State {
    var users: Set<String> = ["ann", "bob"]
    var rights: [String: [ApplianceID: Permission]] = ["ann": [Samples.appliance: .own, Samples.other: .own]]
    var areAllRevoked = false
    var controllers: [ApplianceID: ControllerSettings] = [:]
    var isDown = false
  }

  let state = Mutex(State())

  func account(of userID: String) async throws -> Account? {
    try read { $0.users.contains(userID) ? Account(role: .viewer) : nil }
  }

  func permission(of userID: String, as role: UserRole?, on appliance: ApplianceID) async throws -> Permission? {
    try read { $0.rights[userID]?[appliance] }
  }

  func appliances(of dialect: Dialect, visibleTo userID: String, as role: UserRole?, limit: Int) async throws -> [PermittedAppliance] {
    try read { state in
      (state.rights[userID] ?? [:]).filter { (state.controllers[$0.key] != nil) == (dialect == .webmacs) }
        .map { PermittedAppliance($0.key, $0.value) }.sorted { $0.id < $1.id }
    }
  }

  func isRevoked(tokenID: String) async throws -> Bool { try read { $0.areAllRevoked } }

  func device(_ appliance: ApplianceID) async throws -> Device? {
    try read { $0.controllers[appliance] == nil ? nil : Device(dialect: .webmacs) }
  }

  func settings(of controller: ApplianceID) async throws -> ControllerSettings {
    try read { $0.controllers[controller] ?? ControllerSettings(sensors: [], experimentID: nil) }
  }

  private func read<Value: Sendable>(_ answer: (State) -> Value) throws -> Value {
    try state.withLock { state in
      if state.isDown { throw Down() }
      return answer(state)
    }
  }
}

/// A gateway on real sockets; with the log in memory, unless the test gives another.
struct TestGateway {
  let port: Int
  let log: any EventLog
  let directory: TestDirectory
  let gateway: Gateway
  private let issuer: TokenIssuer

  static let secret = "a secret of thirty-two bytes, at least"
  private static let rules = TokenRules(issuer: "https://accounts.example.org")

  func token(_ userID: String = "ann", lifetime: Duration = .seconds(900)) async throws -> String {
    try await issuer.issue(userID: userID, now: .now(), lifetime: lifetime)
  }

  func deviceToken(_ controller: ApplianceID, lifetime: Duration = .seconds(900)) async throws -> String {
    try await issuer.issue(device: controller, now: .now(), lifetime: lifetime)
  }

  /// Connects and subscribes, from `since` on, and checks what `subscribed` says of the past.
  func resumed<Result>(
    since: EventID?, recovered: Bool? = true, _ body: (RawClient) async throws -> Result
  ) async throws -> Result {
    try await RawClient.open(port: port, "/ws?token=\(token())") { client in
      _ = try await client.read()
      let member = since.map { #","since":"\#($0)""# } ?? ""
      try await client.send(.text(#"{"type":"subscribe","appliance_id":"\#(Samples.appliance)"\#(member)}"#))
      let answer = try JSONObject(parsing: try await client.read().payload)
      let told = answer.object("data")?.raw("recovered").map { String(decoding: $0, as: UTF8.self) }
      guard answer.string("type") == "subscribed", told == recovered.map(String.init) else {
        throw RawClient.Unexpected(what: String(decoding: answer.bytes, as: UTF8.self))
      }
      return try await body(client)
    }
  }

  /// Connects with a good token, takes `connected`, and subscribes.
  func subscribed<Result>(
    to appliance: ApplianceID = Samples.appliance, status: String = "offline", token: String? = nil,
    _ body: (RawClient) async throws -> Result
  ) async throws -> Result {
    let good = if let token { token } else { try await self.token() }
    return try await RawClient.open(port: port, "/ws?token=\(good)") { client in
      guard try await client.read().text == #"{"type":"connected","user_id":"ann"}"# else {
        throw RawClient.Unexpected(what: "no connected")
      }
      try await client.send(.text(#"{"type":"subscribe","appliance_id":"\#(appliance)"}"#))
      let answer = try JSONObject(parsing: try await client.read().payload)
      guard answer.string("type") == "subscribed", answer.object("data")?.string("current_status") == status else {
        throw RawClient.Unexpected(what: String(decoding: answer.bytes, as: UTF8.self))
      }
      return try await body(client)
    }
  }

  /// A figure of the gateway, by its name without the prefix.
  func metric(_ name: String) async -> Double? {
    await gateway.metrics.samples().first { $0.name == "martlet_gateway_" + name }?.value
  }

  /// Waits until a figure of the gateway is so.
  func waitFor(_ name: String, _ value: Double) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while await metric(name) != value {
      guard .now < deadline else { throw RawClient.Unexpected(what: "\(name) is not \(value)") }
    }
  }

  /// Tells of a change, and returns when every connection has heard of it; with the log in memory.
  func announce(_ change: AccessChange) async throws {
    try await log.publish(change.encoded(), to: Bus.changes)
    // Behind the feed's turn of the loop, and behind those in which it told the connections.
    for _ in 0..<2 { _ = await metric("topics") }
  }

  /// Appends events as ingest does and answers what goes to the clients.
  @discardableResult
  func append(_ events: Event...) async throws -> [[UInt8]] {
    let outcomes = try await log.append(events.map { LogEntry(.event($0), order: .now()) })
    return zip(events, outcomes).map { event, outcome in
      var stored = event
      if case .appended(let id, _) = outcome { stored.id = id }
      return stored.encoded()
    }
  }

  static func run<Result: Sendable>(
    loopCount: Int = 1, queueBytesMax: Int = 256 * 1024, oht50: OHT50Limits = OHT50Limits(), roles: RoleTable = .standard,
    isLocal: Bool = false, _ body: (TestGateway) async throws -> Result
  ) async throws -> Result {
    let log = MemoryEventLog()
    return try await run(
      on: log, appendingTo: log, loopCount: loopCount, queueBytesMax: queueBytesMax, oht50: oht50, roles: roles, isLocal: isLocal,
      liveFeed: { MemoryLiveFeed(of: log, eventLoop: $0, receiver: $1) }, body)
  }

  /// - Parameters:
  ///   - log: what the gateway reads; run with it where it is a service.
  ///   - writer: what the test appends to.
  static func run<Result: Sendable>(
    on log: any EventLog, appendingTo writer: any EventLog, loopCount: Int, queueBytesMax: Int = 256 * 1024,
    oht50: OHT50Limits = OHT50Limits(),
    roles: RoleTable = .standard, isLocal: Bool = false, liveFeed: @escaping @Sendable (any EventLoop, any LiveReceiver) -> any LiveFeed,
    _ body: (TestGateway) async throws -> Result
  ) async throws -> Result {
    let directory = TestDirectory()
    guard let secret = TokenSecret(secret) else { throw RawClient.Unexpected(what: "no secret") }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: loopCount)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let (ports, sink) = AsyncStream.makeStream(of: Int.self)
    let server = WebSocketServerConfiguration(
      host: "127.0.0.1", port: 0, closeTimeout: .milliseconds(200), drainPeriod: .zero, sweepInterval: .milliseconds(20))
    let cache = CachedAccess(directory)
    let verifier = await TokenVerifier(secret: secret, rules: rules)
    let gate: any Gatekeeper = isLocal ? LocalGatekeeper() : AccessGate(verifier: verifier, directory: cache)
    let devices = isLocal ? nil : Devices(verifier: verifier, directory: directory, controllers: directory)
    let gateway = try await Gateway(
      Gateway.Settings(
        server: server, oht50: oht50, roles: roles, queueBytesMax: queueBytesMax, refusesForeignPages: isLocal, replica: "test"),
      ports: Gateway.Ports(
        gate: gate, cache: isLocal ? nil : cache, devices: devices, board: nil, audit: nil, log: log, liveFeed: liveFeed),
      eventLoopGroup: group, logger: logger, listening: { sink.yield($0) })
    let services = ServiceGroup(services: [log, writer].compactMap { $0 as? any Service } + gateway.services, logger: logger)
    let result = try await withThrowingTaskGroup { tasks in
      tasks.addTask {
        defer { sink.finish() }
        try await services.run()
      }
      guard let port = await ports.first(where: { _ in true }) else { throw RawClient.Unexpected(what: "no port") }
      let issuer = await TokenIssuer(secret: secret, rules: rules)
      let result = try await body(TestGateway(port: port, log: writer, directory: directory, gateway: gateway, issuer: issuer))
      await services.triggerGracefulShutdown()
      try await tasks.waitForAll()
      return result
    }
    try await group.shutdownGracefully()
    return result
  }
}
