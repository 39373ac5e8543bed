package import Models

/// A directory's answers, kept for a while, so that thousands of clients that come back at once are not thousands of queries.
///
/// An answer is fresh for `freshFor`. When the directory cannot be asked, one that is not older than `servedFor` still serves, so a
/// database that is down stops no client that was in. `invalidate()` forgets everything, and no answer that was being fetched at that moment is kept.
package final class CachedAccess: AccessDirectory {
  private struct PermissionQuestion: Hashable {
    let userID: String
    let role: UserRole?
    let appliance: ApplianceID
  }

  private struct VisibilityQuestion: Hashable {
    let dialect: Dialect
    let userID: String
    let role: UserRole?
    let limit: Int
  }

  private let directory: any AccessDirectory
  private let accounts: AnswerCache<String, Account?>
  private let permissions: AnswerCache<PermissionQuestion, Permission?>
  private let visible: AnswerCache<VisibilityQuestion, [PermittedAppliance]>
  private let revocations: AnswerCache<String, Bool>

  package init(
    _ directory: any AccessDirectory, freshFor: Duration = .seconds(30), servedFor: Duration = .seconds(900),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.directory = directory
    accounts = AnswerCache(freshFor: freshFor, servedFor: servedFor, now: now)
    permissions = AnswerCache(freshFor: freshFor, servedFor: servedFor, now: now)
    visible = AnswerCache(freshFor: freshFor, servedFor: servedFor, now: now)
    revocations = AnswerCache(freshFor: freshFor, servedFor: servedFor, now: now)
  }

  package func account(of userID: String) async throws -> Account? {
    try await accounts.answer(userID) { try await directory.account(of: userID) }
  }

  package func permission(of userID: String, as role: UserRole?, on appliance: ApplianceID) async throws -> Permission? {
    try await permissions.answer(PermissionQuestion(userID: userID, role: role, appliance: appliance)) {
      try await directory.permission(of: userID, as: role, on: appliance)
    }
  }

  package func appliances(
    of dialect: Dialect, visibleTo userID: String, as role: UserRole?, limit: Int
  ) async throws -> [PermittedAppliance] {
    try await visible.answer(VisibilityQuestion(dialect: dialect, userID: userID, role: role, limit: limit)) {
      try await directory.appliances(of: dialect, visibleTo: userID, as: role, limit: limit)
    }
  }

  package func isRevoked(tokenID: String) async throws -> Bool {
    try await revocations.answer(tokenID) { try await directory.isRevoked(tokenID: tokenID) }
  }

  /// Forgets what the change concerns.
  package func invalidate(_ change: AccessChange = .everything) {
    switch change {
    case .everything:
      accounts.invalidate()
      permissions.invalidate()
      visible.invalidate()
      revocations.invalidate()
    case .user(let id):
      accounts.invalidate { $0 == id }
      permissions.invalidate { $0.userID == id }
      visible.invalidate { $0.userID == id }
    case .token(let id, ofUser: _): revocations.invalidate { $0 == id }
    case .appliance(let id):
      permissions.invalidate { $0.appliance == id }
      // Anybody may see it from now on, or see it no more.
      visible.invalidate()
    case .sensors: break
    }
  }
}
