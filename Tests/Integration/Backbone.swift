import Foundation
import LocalStack

/// The whole backbone on this machine: real servers, our services, and the accounts of a test.
struct Backbone: Sendable {
  static let user = "alice"

  let stack: LocalStack
  /// The token of `user`, who owns every appliance.
  let token: String

  /// Runs `body` with a backbone of its own.
  static func run(
    appliances: [String], dialect: String = "epicura", gateways: Int = 2, signaling: Int = 0, rules: Int = 0, ingest: Int = 1,
    redisMasters: Int = 0,
    environment: [String: String] = [:],
    _ body: @Sendable (Backbone) async throws -> Void
  ) async throws {
    var configuration = LocalStackConfiguration.whole(gateways: gateways, signaling: signaling, rules: rules, ingest: ingest)
    configuration.redisMasters = redisMasters
    configuration.environment = environment.merging(["MARTLET_LOG_LEVEL": "info"]) { own, _ in own }
    try await LocalStack.run(configuration) { stack in
      let accounts = "\(stack.folder.path)/accounts.yaml"
      try Self.accounts(appliances, dialect: dialect).write(toFile: accounts, atomically: true, encoding: .utf8)
      try await stack.martletctl("apply", accounts)
      try await body(Backbone(stack: stack, token: stack.martletctl("token", user)))
    }
  }

  static func accounts(_ appliances: [String], dialect: String = "epicura") -> String {
    let rows = appliances.map { "  - id: \($0)\n    dialect: \(dialect)\n    owner: \(user)\n" }
    return "users:\n  - id: \(user)\nappliances:\n" + rows.joined()
  }

  /// The address of one replica, past nginx.
  func gateway(_ number: Int) throws -> String {
    let service = try stack.service("gateway-\(number)")
    return "ws://\(service.host):\(service.port)/ws"
  }

  /// What becomes of commands that an app sends one after the other over one socket, subscribed to nothing: `TYPE OUTCOME [CODE]` each.
  func outcomes(of types: [String], to appliance: String, at url: String) async throws -> [String] {
    let output = try await Tool.run(
      ["/usr/bin/python3", Clients.path("commander.py"), url, appliance] + types, environment: ["TOKEN": token], limit: .seconds(240))
    return output.split(separator: "\n").map(String.init)
  }

  /// What becomes of stops that eight apps send at a time, two to each of four appliances by different gateways, each one after the other over a socket of its own.
  func outcomes(of stop: String, count: Int, to appliances: [String], at path: String) async throws -> [String] {
    try await withThrowingTaskGroup(of: [String].self) { group in
      for appliance in appliances {
        for number in 1...2 {
          group.addTask { try await outcomes(of: Array(repeating: stop, count: count), to: appliance, at: gateway(number) + path) }
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
  }

  /// Waits until a query gives `expected`. PostgreSQL may be away for a while.
  func waitForRow(_ expected: String, limit: Duration = .seconds(60), _ sql: String) async throws {
    let deadline = ContinuousClock.now + limit
    var last = ""
    while ContinuousClock.now < deadline {
      do {
        last = try await stack.postgres.query(sql)
        if last == expected { return }
      } catch let error as LocalStackError {
        last = error.message
      }
      try await Task.sleep(for: .milliseconds(100))
    }
    throw Mailbox.Expired(description: "\(sql): not \(expected) but \(last) after \(limit)")
  }

  /// The rules are at their databases again when they have come as far in the log as the persister.
  func waitUntilRulesHaveRead() async throws {
    try await waitForRow(
      "0",
      """
      SELECT count(*) FROM log_cursors AS stored LEFT JOIN log_cursors AS ruled ON ruled.shard = stored.shard AND ruled.consumer = 'rules'
      WHERE stored.consumer = 'persister' AND stored.log_ms > 0 AND (ruled.log_ms, ruled.log_seq) IS DISTINCT FROM (stored.log_ms, stored.log_seq)
      """)
  }
}
