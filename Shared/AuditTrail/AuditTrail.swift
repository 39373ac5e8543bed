internal import Backoff
package import Logging
internal import Metrics
package import Models
package import RedisClient
internal import ServiceLifecycle
internal import Synchronization

/// Takes the audit entries of one service to the stream from which the persister stores them (deploy/decisions/0026).
///
/// Whoever notes something is never held up and never fails: an entry waits here, at most `waitingMax` of them, and past that it is lost and counted.
/// The stream itself takes no more than `streamCountMax`: what Redis holds is what the persister has not stored, and nothing of that is thrown away for what is newer.
package final class AuditTrail: Service {
  static let waitingMax = 8192
  static let streamCountMax = 200_000
  private static let batchMax = 512
  private static let pause = Duration.milliseconds(200)

  private struct State {
    var limiter = AuditLimiter()
    var waiting: [AuditEntry] = []
  }

  private let client: RedisClient
  private let service: String
  private let logger: Logger
  private let state = Mutex(State())
  private let written = Counter(label: "martlet_audit_entries_total")
  private let held = Counter(label: "martlet_audit_summarized_total")
  private let lost = Counter(label: "martlet_audit_lost_total")

  /// `# HELP` for each.
  package static let descriptions = [
    "martlet_audit_entries_total": "Audit entries that are on their way to the audit log",
    "martlet_audit_summarized_total":
      "Audit entries that were not written by themselves, because too many were like them, but counted in one that was",
    "martlet_audit_lost_total": "Audit entries that were lost, because Redis or the persister did not take them in for too long",
  ]

  /// - Parameters:
  ///   - client: run by whoever made it, and longer than this.
  ///   - service: as it is named in the entries.
  package init(_ client: RedisClient, service: String, logger: Logger) {
    (self.client, self.service, self.logger) = (client, service, logger)
  }

  /// From any thread; returns at once.
  package func note(
    _ action: AuditEntry.Action, _ result: AuditEntry.Result, userID: String? = nil, applianceID: String? = nil, commandID: String? = nil,
    address: String? = nil, detail: String = ""
  ) {
    let entry = AuditEntry(
      id: Self.randomID(), at: .now(), service: service, action: action, result: result, userID: userID, applianceID: applianceID,
      commandID: commandID, address: address, detail: detail)
    state.withLock { state in
      guard state.limiter.passes(entry) else { return held.increment() }
      enqueue([entry], &state)
    }
  }

  private func enqueue(_ entries: [AuditEntry], _ state: inout State) {
    let room = max(0, Self.waitingMax - state.waiting.count)
    state.waiting += entries.prefix(room)
    if entries.count > room { lost.increment(by: Int64(entries.count - room)) }
  }

  private static func randomID() -> String {
    (0..<2).map { _ in
      let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  // MARK: To Redis

  /// Until graceful shutdown; then what waits is tried once more.
  package func run() async throws {
    var backoff = Backoff(longest: .seconds(5))
    var isWorking = true
    while !Task.isShuttingDownGracefully, !Task.isCancelled {
      do {
        let isDone = try await write(isLast: false)
        if !isWorking { logger.notice("The audit log goes on") }
        isWorking = true
        backoff.reset()
        if isDone { try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) } }
      } catch {
        if isWorking { logger.warning("What is to be audited cannot be written, and waits: \(error)") }
        isWorking = false
        let wait = backoff.next()
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) }
      }
    }
    do { while try await !write(isLast: true) {} } catch {
      let count = state.withLock { $0.waiting.count }
      lost.increment(by: Int64(count))
      logger.warning("\(count) audit entries are lost at the end: \(error)")
    }
  }

  /// Throws why nothing was written. An entry may be in the stream twice then; the audit log knows it again.
  ///
  /// - Returns: whether nothing more can be written now.
  private func write(isLast: Bool) async throws -> Bool {
    let batch = state.withLock { state in
      enqueue(state.limiter.summaries(now: .now(), isLast: isLast), &state)
      return Array(state.waiting.prefix(Self.batchMax))
    }
    guard !batch.isEmpty else { return true }
    // While it is full, what comes waits here.
    guard try await client.send(RedisCommand("XLEN", Bus.audit)).integer ?? 0 < Self.streamCountMax else { return true }
    for reply in try await client.pipeline(batch.map { RedisCommand("XADD", Bus.audit, "*", "e", $0.encoded()) }) { _ = try reply.get() }
    written.increment(by: Int64(batch.count))
    return state.withLock { state in
      state.waiting.removeFirst(batch.count)
      return state.waiting.isEmpty
    }
  }
}
