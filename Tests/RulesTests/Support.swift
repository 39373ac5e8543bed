import EventLog
import Foundation
import LocalStack
import LogConsumer
import Logging
import Models
import PostgresClient
import RuleEvaluation
import ServiceLifecycle
import ServiceRuntime
import Store
import Synchronization
import Testing

@testable import Rules

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A migrated PostgreSQL with some rules, a log, and as many replicas of the rules as are wanted beside `body`.
struct RulesBench: Sendable {
  let postgres: PostgresServer
  let owner: PostgresConnection
  let log: any EventLog

  static func run(
    _ rules: [String], cookers: [String] = [], replicas: Int = 1, log: any EventLog = MemoryEventLog(),
    _ body: @Sendable (RulesBench) async throws -> Void
  ) async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      try await run(rules, cookers: cookers, replicas: replicas, log: log, reading: log, stack.postgres, body)
    }
  }

  /// - Parameter reading: the log with the rights of the rules.
  static func run(
    _ rules: [String], cookers: [String] = [], replicas: Int, log: any EventLog, reading: any EventLog, _ postgres: PostgresServer,
    _ body: @Sendable (RulesBench) async throws -> Void
  ) async throws {
    let owner = try await PostgresConnection.connect(postgres.configuration(.owner), logger: quiet)
    _ = try await Migrator().migrate(owner)
    try await postgres.grantLogins()
    let bench = RulesBench(postgres: postgres, owner: owner, log: log)
    try await bench.save(rules)
    _ = try await owner.execute("INSERT INTO users (id, name) VALUES ('alice', 'Alice')")
    _ = try await owner.execute(
      "INSERT INTO appliances (id, owner_id, dialect, name) SELECT id, 'alice', 'epicura', id FROM unnest($1::text[]) AS new (id)",
      [.textArray(cookers)])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<replicas {
        for worker in try await bench.replica(reading) { group.addTask { try await worker.run() } }
      }
      try await body(bench)
      group.cancelAll()
    }
  }

  private func replica(_ log: any EventLog) async throws -> [any Service] {
    var limits = ConsumerLimits(consumer: "rules")
    (limits.readWait, limits.shareInterval, limits.batchRecordsMax) = (.milliseconds(20), .milliseconds(50), 64)
    let book = RuleBook(try await owner.run { session in try RuleRows.read(in: session) }, logger: quiet)
    let interest = InterestBook()
    let effects = RulesEffects(book: book, interest: interest, log: log, seriesMax: 1000, logger: quiet)
    let keeper = BookKeeper(
      pool: PostgresPool(try postgres.configuration(.rules), limits: .init(connectionsMax: 1), logger: quiet), book: book,
      interest: interest, logger: quiet)
    return [keeper]
      + ShardWorker.workers(
        try postgres.configuration(.rules), limits, log: log, effects: effects, progress: ShardProgress(consumer: "rules"), logger: quiet)
  }

  func save(_ rules: [String]) async throws {
    let rules = try rules.map { try Rule(parsing: Array($0.utf8)) }
    try await owner.transaction { session in try RuleRows.save(rules, in: session) }
  }

  /// Appends an event of `A-1`, or another.
  func happen(_ type: String, _ data: String, of appliance: String = "A-1", at time: Timestamp = .now()) async throws {
    let event = Event(type: try EventType(type), applianceID: try ApplianceID(appliance), timestamp: time, data: Array(data.utf8))
    _ = try await log.append([LogEntry(.event(event), order: event.timestamp)])
  }

  /// One line of text.
  func value(_ sql: String) async throws -> String {
    try await postgres.query(sql).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func eventually(_ sql: String, is expected: String) async throws {
    try await RulesTests.eventually("\(sql) = \(expected)") { try await value(sql) == expected }
  }

  /// What the log holds of an appliance that rules and alarms have told, in order.
  func told(_ appliance: String = "A-1") async throws -> [String] {
    let shard = Bus.shard(of: try ApplianceID(appliance))
    return try await log.read(shard: shard, after: .zero, limit: 100_000, wait: .zero).records.compactMap {
      guard case .event(let event) = $0.content, event.applianceID.rawValue == appliance, event.type.isReserved else { return nil }
      return event.type.rawValue
    }
  }
}

struct NeverTrue: Error { let what: String }

func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while try await !isTrue() {
    guard ContinuousClock.now < deadline else { throw NeverTrue(what: what) }
    await Task.yield()
  }
}

extension PostgresServer {
  func configuration(_ role: Role) throws -> PostgresConfiguration {
    try PostgresConfiguration(url: url(role), password: password(role))
  }
}

/// A clock that stands still until it is moved.
final class HandClock: Sendable {
  private let time = Mutex(Timestamp(microseconds: 1_771_070_400_000_000))

  var now: Timestamp { time.withLock { $0 } }
  func move(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}
