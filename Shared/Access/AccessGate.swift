package import Models

/// Which users may come in and what they may do. Never throws: a directory that cannot be asked is an answer too.
package struct AccessGate: Sendable {
  package enum Admission: Hashable, Sendable {
    case admitted(Principal)
    case refused(AccessError)
    case unavailable
  }

  package enum Grant: Hashable, Sendable {
    case granted(Permission)
    /// Also for an appliance that does not exist: nobody can probe.
    case refused
    case unavailable
  }

  /// What is left of a connection's rights.
  package struct Recheck: Hashable, Sendable {
    /// Why the connection must end, nil when it may stay.
    package let refusal: AccessError?
    /// Those of the appliances asked about that may no longer be watched.
    package let lost: [ApplianceID]
    /// What the principal may do with the others.
    package let permissions: [ApplianceID: Permission]

    package init(refusal: AccessError? = nil, lost: [ApplianceID] = [], permissions: [ApplianceID: Permission] = [:]) {
      self.refusal = refusal
      self.lost = lost
      self.permissions = permissions
    }
  }

  private let verifier: TokenVerifier
  private let directory: any AccessDirectory

  package init(verifier: TokenVerifier, directory: any AccessDirectory) {
    self.verifier = verifier
    self.directory = directory
  }

  /// Checks a token, its user and its revocation.
  ///
  /// - Parameter token: nil and an empty one are refused with `.authenticationRequired`.
  package func admit(_ token: String?) async -> Admission {
    switch await verifier.verify(token ?? "", now: .now()) {
    case .refused(let error): return .refused(error)
    case .unavailable: return .unavailable
    case .valid(let principal):
      do {
        return try await refusal(of: principal).map(Admission.refused) ?? .admitted(principal)
      } catch {
        return .unavailable
      }
    }
  }

  /// What the principal may do with the appliance.
  package func permission(of principal: Principal, on appliance: ApplianceID) async -> Grant {
    do {
      let permission = try await directory.permission(of: principal.subject, as: principal.role, on: appliance)
      return permission.map(Grant.granted) ?? .refused
    } catch {
      return .unavailable
    }
  }

  /// The appliances of one dialect that the principal may see, with what they may do, in the order of their ids, at most `limit`. Nil when the directory cannot be asked.
  package func appliances(of dialect: Dialect, visibleTo principal: Principal, limit: Int) async -> [PermittedAppliance]? {
    try? await directory.appliances(of: dialect, visibleTo: principal.subject, as: principal.role, limit: limit)
  }

  /// The role that counts: the token's where it brings one, else the account's. Nil when there is no such user or the directory cannot be asked.
  package func role(of principal: Principal) async -> UserRole? {
    if let role = principal.role { return role }
    return try? await directory.account(of: principal.subject)?.role
  }

  /// What is left of an admitted principal's rights after something has changed. Nil when the directory cannot be asked.
  ///
  /// - Parameter appliances: those that the principal watches.
  package func recheck(_ principal: Principal, _ appliances: [ApplianceID]) async -> Recheck? {
    do {
      if let refusal = try await refusal(of: principal) { return Recheck(refusal: refusal, lost: appliances) }
      var permissions: [ApplianceID: Permission] = [:]
      for appliance in appliances {
        permissions[appliance] = try await directory.permission(of: principal.subject, as: principal.role, on: appliance)
      }
      return Recheck(lost: appliances.filter { permissions[$0] == nil }, permissions: permissions)
    } catch {
      return nil
    }
  }

  private func refusal(of principal: Principal) async throws -> AccessError? {
    guard await verifier.stands(behind: principal) else { return .tokenRevoked }
    guard let account = try await directory.account(of: principal.subject) else { return .userNotFound }
    if let validFrom = account.tokensValidFrom, principal.isOlder(than: validFrom) { return .tokenRevoked }
    if let tokenID = principal.tokenID, try await directory.isRevoked(tokenID: tokenID) { return .tokenRevoked }
    return nil
  }
}
