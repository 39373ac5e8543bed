import Foundation
import LocalStack
import Logging
import Models
import NIOPosix
import OutboundGate
import PostgresClient
import Store
import Subprocess
import Testing
import TrustedProxies

@testable import Webhooks

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A migrated PostgreSQL, a receiver that is none of ours, and dispatchers between them.
struct Scene: Sendable {
  let postgres: PostgresServer
  /// With the rights of the dispatcher's role, and of the API's.
  let rules: PostgresPool
  let store: WebhookStore
  let receiver: Receiver
  /// The stack's own; with TLS, certificates lie in its folder `tls`.
  let folder: String
  let now = Timestamp.now()

  static let appliance = "EPIC-001"

  static func run(tls: Bool = false, _ body: @escaping @Sendable (Scene) async throws -> Void) async throws {
    var configuration = LocalStackConfiguration([.postgres])
    configuration.tls = tls
    try await LocalStack.run(configuration) { stack in
      let postgres = try stack.postgres
      let owner = try await PostgresConnection.connect(postgres.configuration(.owner), logger: quiet)
      _ = try await Migrator().migrate(owner)
      try await postgres.grantLogins()
      try await owner.run { session in
        try session.executeScript(
          """
          INSERT INTO users (id, name, role) VALUES ('owner', '', 'viewer'), ('guest', '', 'viewer'), ('stranger', '', 'viewer'), ('root', '', 'admin');
          INSERT INTO appliances (id, owner_id, dialect, name) VALUES ('\(appliance)', 'owner', 'epicura', ''), ('EPIC-002', 'owner', 'epicura', '');
          INSERT INTO appliance_shares (appliance_id, user_id) VALUES ('\(appliance)', 'guest');
          """)
      }
      let scene = Scene(
        postgres: postgres, rules: PostgresPool(try postgres.configuration(.rules), logger: quiet),
        store: WebhookStore(PostgresPool(try postgres.configuration(.api), logger: quiet)), receiver: Receiver(in: stack.folder.path),
        folder: stack.folder.path)
      try await scene.receiver.running { try await body(scene) }
    }
  }

  /// A dispatcher's settings: the schedule is a hundred times as fast, and this machine may be called.
  static func configuration(_ adjust: (inout WebhookLimits) -> Void = { _ in }) -> WebhookConfiguration {
    var configuration = WebhookConfiguration(
      gate: OutboundGate(addresses: AddressGate(allowed: NetworkList("127.0.0.0/8")), allowsHTTP: true))
    configuration.limits.schedule = RetrySchedule(delays: [20, 50, 100, 200].map { .milliseconds($0) })
    configuration.limits.attemptTimeout = .seconds(2)
    configuration.limits.pollInterval = .milliseconds(10)
    adjust(&configuration.limits)
    return configuration
  }

  /// Runs a dispatcher beside `body`, and stops it as a kill would when `body` is done: nothing is settled any more.
  func dispatching(
    _ configuration: WebhookConfiguration = configuration(), lookup: @escaping NameResolver.Lookup = { NameResolver.system($0) },
    _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let pool = PostgresPool(try postgres.configuration(.rules), limits: .init(connectionsMax: 1), logger: quiet)
    let dispatcher = WebhookDispatcher(
      configuration, pool: pool, resolver: NameResolver(group, timeout: configuration.limits.lookupTimeout, lookup: lookup), group, quiet)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await dispatcher.run() }
      try await body()
      tasks.cancelAll()
    }
  }

  /// Adds a webhook whose receiver behaves as the mode says.
  func webhook(
    _ name: String, _ mode: String, of owner: String = "owner", types: Set<WebhookEventType> = [], inFlightMax: Int = 8, url: String? = nil,
    at receiver: Receiver? = nil
  ) async throws -> Webhook {
    let receiver = receiver ?? self.receiver
    let secret = WebhookSecret()
    let settings = WebhookSettings(
      name: name, url: url ?? "http://127.0.0.1:\(receiver.port)/\(name)", types: types, inFlightMax: inFlightMax)
    try await receiver.behave("/\(name)", mode, secret: secret.text)
    return try await store.create(settings, of: owner, secret: secret)
  }

  /// Stores numbered messages as the engine does.
  func emit(
    _ numbers: Range<Int>, _ type: WebhookEventType = .alarmRaised, of appliance: String = appliance, key: String = ""
  ) async throws {
    let (id, now) = (try ApplianceID(appliance), now)
    try await rules.withTransaction { session in
      var rows = WebhookRows(try WebhookInterest.read(in: session))
      for number in numbers { rows.append(type, of: id, data: Array(#"{"n":\#(number)}"#.utf8), at: now, key: "\(key)\(number)") }
      try rows.write(in: session)
    }
  }

  func deliveries(of webhook: Webhook) async throws -> [WebhookDelivery] {
    try await store.deliveries(of: webhook.id, limit: 1000).items.reversed()
  }

  /// Asks until every delivery of the webhook is settled.
  func settled(_ webhook: Webhook, count: Int) async throws -> [WebhookDelivery] {
    try await eventually("\(count) settled deliveries of \(webhook.settings.name)") {
      let deliveries = try await deliveries(of: webhook)
      return deliveries.count == count && deliveries.allSatisfy { $0.settledAt != nil } ? deliveries : nil
    }
  }
}

struct NeverSo: Error { let what: String }

/// Asks until there is an answer; an error if that takes too long.
func eventually<Value>(_ what: String, within limit: Duration = .seconds(30), _ answer: () async throws -> Value?) async throws -> Value {
  let deadline = ContinuousClock.now + limit
  while true {
    if let value = try await answer() { return value }
    guard ContinuousClock.now < deadline else { throw NeverSo(what: what) }
    try Task.checkCancellation()
    await Task.yield()
  }
}

extension PostgresServer {
  func configuration(_ role: Role) throws -> PostgresConfiguration { try PostgresConfiguration(url: url(role), password: password(role)) }
}
