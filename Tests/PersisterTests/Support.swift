import EventLog
import Foundation
import LocalStack
import LogConsumer
import Logging
import Models
import PostgresClient
import ServiceLifecycle
import ServiceRuntime
import Store
import Testing

@testable import Persister

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A migrated PostgreSQL and whatever stands beside it.
func withDatabase<R>(
  _ servers: Set<StackServer> = [.postgres], _ body: (LocalStack, PostgresServer) async throws -> R
) async throws -> R {
  try await LocalStack.run(LocalStackConfiguration(servers)) { stack in
    let postgres = try stack.postgres
    let owner = try await PostgresConnection.connect(postgres.configuration(.owner), logger: quiet)
    _ = try await Migrator().migrate(owner)
    await owner.close()
    try await postgres.grantLogins()
    return try await body(stack, postgres)
  }
}

/// One replica of the persister while it runs.
struct Replica {
  let progress = ShardProgress(consumer: "persister")
  let limits: ConsumerLimits
  let log: any EventLog
  let postgres: PostgresConfiguration

  init(
    _ postgres: PostgresServer, _ log: any EventLog, callTimeout: Duration = .seconds(30),
    adjust: (inout ConsumerLimits) -> Void = { _ in }
  ) throws {
    var limits = ConsumerLimits(consumer: "persister")
    limits.readWait = .milliseconds(20)
    limits.shareInterval = .milliseconds(50)
    limits.trimInterval = .milliseconds(20)
    limits.workers = 1
    adjust(&limits)
    self.limits = limits
    self.log = log
    self.postgres = try postgres.configuration(.persister, callTimeout: callTimeout)
  }

  var workers: [ShardWorker] {
    let effects = PersisterEffects(daysAhead: 7, logger: quiet)
    return ShardWorker.workers(postgres, limits, log: log, effects: effects, progress: progress, logger: quiet)
  }

  func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in workers { group.addTask { try await worker.run() } }
      try await group.waitForAll()
    }
  }

  /// Runs the replica beside `body` and ends it with it.
  func running<R: Sendable>(_ body: () async throws -> R) async throws -> R {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await run() }
      let result = try await body()
      group.cancelAll()
      return result
    }
  }

  var ownedShards: Int {
    Int(progress.samples(now: .now()).first { $0.name == "martlet_persister_shards_owned" }?.value ?? 0)
  }
}

struct NeverTrue: Error { let what: String }

/// Asks until the answer is yes; an error if that takes too long.
func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while try await !isTrue() {
    guard ContinuousClock.now < deadline else { throw NeverTrue(what: what) }
    await Task.yield()
  }
}

extension PostgresServer {
  func configuration(_ role: Role, callTimeout: Duration = .seconds(30)) throws -> PostgresConfiguration {
    try PostgresConfiguration(url: url(role), password: password(role), callTimeout: callTimeout)
  }

  /// One number.
  func number(_ sql: String) async throws -> Int {
    try await Int(query(sql).trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
  }

  func eventually(_ sql: String, is expected: Int) async throws {
    try await PersisterTests.eventually("\(sql) = \(expected)") { try await number(sql) == expected }
  }
}

/// Numbered events, spread over appliances and so over shards.
func entries(_ numbers: Range<Int>, type: String = "telemetry", appliances: Int = 40) throws -> [LogEntry] {
  try numbers.map { number in
    let event = Event(
      type: try EventType(type), applianceID: try ApplianceID("A-\(number % appliances)"), timestamp: .now(),
      data: Array(#"{"n":\#(number),"half":\#(number).50}"#.utf8))
    return LogEntry(.event(event), order: event.timestamp)
  }
}

let eventCount = "SELECT count(*) FROM events"
let distinctNumbers = "SELECT count(DISTINCT (data->>'n')::int) FROM events"
