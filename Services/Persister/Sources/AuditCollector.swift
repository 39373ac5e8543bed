import Backoff
import Logging
import Metrics
import Models
import PostgresClient
import RedisClient
import ServiceLifecycle
import Store

/// Moves what services have noted for the audit log from its stream into PostgreSQL. Any replica may, all at once too: an entry is known by its id, and leaves the stream when it is stored.
struct AuditCollector: Service {
  static let batchMax = 500
  private static let pause = Duration.milliseconds(500)

  let redis: RedisClient
  let pool: PostgresPool
  let logger: Logger
  private let stored = Counter(label: "martlet_persister_audit_entries_total")
  private let unreadable = Counter(label: "martlet_persister_audit_unreadable_total")

  static let descriptions = [
    "martlet_persister_audit_entries_total": "Audit entries that were stored",
    "martlet_persister_audit_unreadable_total": "What stood among the audit entries and was none",
  ]

  init(redis: RedisClient, pool: PostgresPool, logger: Logger) { (self.redis, self.pool, self.logger) = (redis, pool, logger) }

  func run() async throws {
    var backoff = Backoff(longest: .seconds(5))
    var isWorking = true
    while !Task.isShuttingDownGracefully, !Task.isCancelled {
      var wait = Self.pause
      do {
        // A full page: there is more.
        if try await collect() == Self.batchMax { wait = .zero }
        if !isWorking { logger.notice("Audit entries are stored again") }
        isWorking = true
        backoff.reset()
      } catch {
        if isWorking { logger.warning("Audit entries cannot be stored, and wait: \(error)") }
        isWorking = false
        wait = backoff.next()
      }
      let pause = wait
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
    }
  }

  /// - Returns: how many were read.
  private func collect() async throws -> Int {
    let reply = try await redis.send(RedisCommand("XRANGE", Bus.audit, "-", "+", "COUNT", Self.batchMax))
    let read = (reply.array ?? []).compactMap { item -> (place: String, entry: AuditEntry?)? in
      guard let parts = item.array, parts.count == 2, let place = parts[0].text else { return nil }
      return (place, (parts[1].array?.last?.bytes).flatMap { AuditEntry(parsing: $0) })
    }
    guard !read.isEmpty else { return 0 }
    let entries = read.compactMap(\.entry)
    try await pool.withTransaction(timeout: .seconds(30)) { session in try AuditRows.write(entries, in: session) }
    var delete = RedisCommand("XDEL", Bus.audit)
    for (place, _) in read { delete.append(place) }
    _ = try await redis.send(delete)
    stored.increment(by: Int64(entries.count))
    unreadable.increment(by: Int64(read.count - entries.count))
    return read.count
  }
}

/// Has the database forget old lines of the audit log. Any replica may, all at once too.
struct AuditSweeper: Service {
  private static let interval = Duration.seconds(3600)

  let pool: PostgresPool
  let days: Int
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      // So that replicas that started together do not sweep together.
      while (try? await Task.sleep(for: Self.interval * Double.random(in: 0.5...1))) != nil {
        do {
          while try await pool.withConnection(timeout: .seconds(60), { try AuditRows.forget(olderThan: days, in: $0) }) > 0 {}
        } catch {
          logger.warning("the old of the audit log was not removed, which is tried again", metadata: ["error": "\(error)"])
        }
      }
    }
  }
}
