import EventLog
import Logging
import Models
import ServiceLifecycle

/// Tells that appliances are online or offline which do not say so themselves: by what they say, and by their silence.
struct PresenceKeeper: Service {
  static let interval = Duration.seconds(1)
  /// Of each shard, in one round.
  private static let overdueMax = 256

  let board: PresenceBoard
  let log: any EventLog
  let sightings: Sightings
  let metrics: IngestMetrics
  let logger: Logger
  /// Whether messages get through to us.
  let isWorking: @Sendable () -> Bool

  func run() async throws {
    var trust = PresenceTrust()
    var hasFailed = false
    while !Task.isShuttingDownGracefully {
      do {
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
      } catch {
        return
      }
      do {
        try await tellHeard()
        if trust.mayTell(isWorking: isWorking(), at: .now()) { try await tellSilent() }
        hasFailed = false
      } catch {
        _ = trust.mayTell(isWorking: false, at: .now())
        if !hasFailed { logger.warning("Who is online cannot be told: \(error)") }
        hasFailed = true
      }
    }
  }

  private func tellHeard() async throws {
    let seen = sightings.take()
    guard !seen.isEmpty else { return }
    do {
      let told = try await board.postpone(seen.mapValues(\.deadline))
      try await append(
        seen.compactMap { appliance, sighting in
          PresenceWord(heardAt: sighting.at, told: told[appliance])?.entry(of: appliance, insteadOf: told[appliance], at: .now())
        })
    } catch {
      sightings.note(seen)
      throw error
    }
  }

  private func tellSilent() async throws {
    let overdue = try await board.overdue(now: .now(), limit: Self.overdueMax)
    guard !overdue.isEmpty else { return }
    let words = overdue.compactMap { appliance, told in
      PresenceWord(silentAfter: told)?.entry(of: appliance, insteadOf: told, at: .now())
    }
    metrics.silent(try await append(words).count { $0 != .duplicate })
    // One that was heard meanwhile is postponed anew with what it says next.
    try await board.forget(overdue.map(\.appliance))
  }

  @discardableResult
  private func append(_ entries: [LogEntry]) async throws -> [AppendOutcome] { entries.isEmpty ? [] : try await log.append(entries) }
}
