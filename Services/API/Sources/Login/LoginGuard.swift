import Models
import Synchronization
import TrustedProxies

/// Bounds how often one network address, and one account, may try to log in. A login that succeeds costs the account nothing, so that only guesses count.
///
/// Each replica counts by itself. An account that somebody guesses at is closed to its owner too while that lasts: the price of not being guessed.
final class LoginGuard: Sendable {
  struct Limits: Hashable, Sendable {
    var perAddress_per_minute = 20
    var perAccount_per_minute = 10
  }

  /// What one attempt has taken; given back when it was right.
  struct Ticket: Sendable {
    fileprivate let account: Int
  }

  private struct State {
    var addresses: RateLimiter
    var accounts: RateLimiter
  }

  private let state: Mutex<State>
  private let now: @Sendable () -> ContinuousClock.Instant

  init(_ limits: Limits = Limits(), now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    self.now = now
    state = Mutex(
      State(addresses: Self.limiter(limits.perAddress_per_minute), accounts: Self.limiter(limits.perAccount_per_minute)))
  }

  private static func limiter(_ perMinute: Int) -> RateLimiter {
    RateLimiter(burst: perMinute, interval: .seconds(60) / perMinute)
  }

  /// Counts an attempt. Throws `too_many_attempts` with the time to wait; whether the account exists makes no difference.
  func admit(address: String, account: String) throws(Problem) -> Ticket {
    let ticket = Ticket(account: account.hashValue)
    let wait = state.withLock { state -> Duration? in
      let moment = now()
      if let wait = state.addresses.take(Self.key(address), at: moment) { return wait }
      return state.accounts.take(ticket.account, at: moment)
    }
    guard let wait else { return ticket }
    let (seconds, attoseconds) = wait.components
    throw .later(.tooManyAttempts, retryAfter_s: Int(seconds) + (attoseconds > 0 ? 1 : 0))
  }

  /// The attempt was right.
  func succeeded(_ ticket: Ticket) {
    state.withLock { $0.accounts.giveBack(ticket.account, at: now()) }
  }

  /// Whoever has an IPv6 network has 2^64 addresses in it: they count as one.
  private static func key(_ address: String) -> Int {
    guard let bytes = NetworkList.bytes(ofAddress: address) else { return address.hashValue }
    return (bytes.count == 16 ? Array(bytes[..<8]) : bytes).hashValue
  }
}
