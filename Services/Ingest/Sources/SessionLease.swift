import Logging
import Models
import RedisClient
import ServiceLifecycle
import Synchronization

/// Which replica hears devices: the one that has the lease, on Redis, of the session in which the broker keeps their messages.
///
/// The lease decides only who tries. That no message is taken in twice rests on the broker, which ends a session's older connection, and on the log, which
/// refuses whoever had the session before (deploy/decisions/0032).
package final class SessionLease: Service {
  /// After so long without a word a holder is taken to be gone.
  static let lifetime = Duration.seconds(3)
  private static let renewal = Duration.seconds(1)
  /// How often one that waits asks.
  private static let poll = Duration.milliseconds(250)
  /// A holder that has not reached the broker for so long lets another try.
  private static let patience = Duration.seconds(5)

  private enum Standing {
    case unknown
    case mine
    case anothers
  }

  private struct State {
    var standing = Standing.unknown
    /// Since when this replica has tried to use the lease, and has not yet.
    var tryingSince: ContinuousClock.Instant?
  }

  private let key: String
  private let holder: [UInt8]
  private let redis: RedisClient
  private let logger: Logger
  private let claim: @Sendable () async throws -> Void
  private let state = Mutex(State())

  /// - Parameter claim: done with the lease in hand, before each connection.
  init(session: String, replica: String, redis: RedisClient, logger: Logger, claim: @escaping @Sendable () async throws -> Void) {
    key = Bus.lease(session: session)
    holder = Array("\(replica) \(String(UInt64.random(in: 0 ... .max), radix: 36))".utf8)
    (self.redis, self.logger, self.claim) = (redis, logger, claim)
  }

  /// Another replica hears devices, so this one does all that is asked of it.
  var isAnothers: Bool { state.withLock { $0.standing == .anothers } }

  /// Keeps the lease while this replica has it, and lets it go at the end.
  package func run() async throws {
    try? await cancelWhenGracefulShutdown {
      while true {
        try await Task.sleep(for: Self.renewal)
        // Where Redis does not answer nothing can be appended either: what comes of that decides.
        if self.state.withLock({ $0.standing == .mine }) { _ = try? await self.ask() }
      }
    }
    await giveUp()
  }

  /// Returns when this replica may connect under the session's name. Throws `RedisError`, and `CancellationError`.
  func take() async throws {
    if let since = state.withLock({ $0.tryingSince }), since.duration(to: .now) > Self.patience { try await letAnotherTry() }
    while try await !ask() { try await Task.sleep(for: Self.poll) }
    state.withLock { $0.tryingSince = $0.tryingSince ?? .now }
    try await claim()
  }

  /// The session is in use.
  func isOfUse() { state.withLock { $0.tryingSince = nil } }

  /// Takes the lease if nobody has it, and prolongs it if this replica has.
  private func ask() async throws -> Bool {
    let lifetime_ms = Int(Self.lifetime / .milliseconds(1))
    let found: [UInt8]?
    do {
      found = try await redis.send(RedisCommand("SET", key, holder, "NX", "GET", "PX", lifetime_ms)).bytes
      if found == holder { _ = try await redis.send(RedisCommand("PEXPIRE", key, lifetime_ms)) }
    } catch {
      state.withLock { if $0.standing == .anothers { $0.standing = .unknown } }
      throw error
    }
    let isMine = found == nil || found == holder
    let was = state.withLock { state in
      defer { state.standing = isMine ? .mine : .anothers }
      return state.standing
    }
    if isMine, was != .mine { logger.notice("This replica hears devices from now on.") }
    if !isMine, was == .mine { logger.notice("Another replica hears devices from now on.") }
    return isMine
  }

  private func letAnotherTry() async throws {
    await giveUp()
    try await Task.sleep(for: Self.poll * 2)
  }

  private func giveUp() async {
    guard
      state.withLock({ state in
        defer { state = State() }
        return state.standing == .mine
      })
    else { return }
    // Between the two it may run out and be another's: that one takes it again, or a third does, and both come to the same session.
    guard let found = try? await redis.send(RedisCommand("GET", key)).bytes, found == holder else { return }
    _ = try? await redis.send(RedisCommand("DEL", key))
  }
}
