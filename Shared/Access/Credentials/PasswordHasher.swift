internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization

/// Hashes and checks passwords, which is slow on purpose, on threads of its own: `threads` at a time, `waitingMax` behind them, and the
/// next one is refused at once. So a flood of logins costs no more than those threads.
///
/// A service: it must run, and its threads end with it.
package final class PasswordHasher: Service {
  package enum Failure: Error, Hashable, Sendable {
    /// Too many wait already: try again in a moment.
    case busy
    /// It does not run: the service starts or stops.
    case stopped
  }

  /// What a new password must have, in bytes of UTF-8.
  package static let lengthRange_bytes = 8...1024

  private let pool: NIOThreadPool
  private let takenMax: Int
  private let taken = Mutex(0)
  /// What a login for an unknown user is checked against, so that it takes as long as any other.
  private let nobody = PasswordHash(of: "", salt: [UInt8](repeating: 0, count: 16)).text

  package init(threads: Int = 2, waitingMax: Int = 32) {
    pool = NIOThreadPool(numberOfThreads: threads)
    takenMax = threads + waitingMax
    pool.start()
  }

  package func run() async throws {
    try? await gracefulShutdown()
    try await pool.shutdownGracefully()
  }

  /// The form in which the password is kept.
  package func hash(_ password: String) async throws(Failure) -> String {
    try await onThread { PasswordHash(of: password).text }
  }

  /// Whether `kept` is the form of this password. Takes as long when there is none, so that nobody learns who has a password.
  ///
  /// A password beyond the length of any is wrong.
  package func verify(_ password: String, against kept: String?) async throws(Failure) -> Bool {
    let password = password.utf8.count > Self.lengthRange_bytes.upperBound ? "" : password
    let (text, exists) = (kept ?? nobody, kept != nil)
    return try await onThread { PasswordHash.verify(password, against: text) && exists }
  }

  private func onThread<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async throws(Failure) -> Value {
    let isTaken = taken.withLock { count in
      guard count < takenMax else { return false }
      count += 1
      return true
    }
    guard isTaken else { throw .busy }
    defer { taken.withLock { $0 -= 1 } }
    do { return try await pool.runIfActive(work) } catch { throw .stopped }
  }
}
