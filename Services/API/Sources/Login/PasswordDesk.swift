import Access
import HTTPTypes
import Store

/// Checks and makes passwords, within the bounds of what a person needs: see `LoginGuard`, and `PasswordHasher`'s own queue.
struct PasswordDesk: Sendable {
  let accounts: AccountStore
  let hasher: PasswordHasher
  let limits: LoginGuard

  /// Throws `invalid_credentials`, after the same work whether the user is unknown, has no password, or has another one.
  func require(_ password: String, of userID: String, from address: String) async throws {
    let ticket: LoginGuard.Ticket
    do throws(Problem) {
      ticket = try limits.admit(address: address, account: userID)
    } catch {
      APIMetrics.login("limited")
      throw error
    }
    let kept = try await accounts.passwordHash(of: userID)
    guard try await unlessBusy({ () throws(PasswordHasher.Failure) in try await hasher.verify(password, against: kept) }) else {
      APIMetrics.login("refused")
      throw Problem(.invalidCredentials, headers: [.wwwAuthenticate: "Bearer"])
    }
    limits.succeeded(ticket)
    APIMetrics.login("accepted")
  }

  /// What is stored of a password; nil for none.
  func hash(_ password: String?) async throws(Problem) -> String? {
    guard let password else { return nil }
    return try await unlessBusy { () throws(PasswordHasher.Failure) in try await hasher.hash(password) }
  }

  private func unlessBusy<Value>(_ work: () async throws(PasswordHasher.Failure) -> Value) async throws(Problem) -> Value {
    do {
      return try await work()
    } catch {
      APIMetrics.login("overloaded")
      throw .later(.tooManyRequests, "Too many passwords wait to be checked.", retryAfter_s: 5)
    }
  }
}
