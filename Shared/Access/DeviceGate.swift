internal import Digests
package import Models
package import Store

/// Which devices there are, and what they prove themselves with.
package protocol DeviceDirectory: Sendable {
  /// What is known of the appliance as a device, nil when there is no such appliance.
  func device(_ appliance: ApplianceID) async throws -> Device?
  /// Whether the token with this `jti` is revoked.
  func isRevoked(tokenID: String) async throws -> Bool
}

extension AccountStore: DeviceDirectory {}

/// Which devices may come in. Never throws: a directory that cannot be asked is an answer too.
///
/// A device proves itself with its appliance's secret, or with a token that is made for it (`"use":"device"`, `sub` the appliance's id). A
/// user's token is never taken.
package struct DeviceGate: Sendable {
  private let verifier: TokenVerifier
  private let directory: any DeviceDirectory

  package init(verifier: TokenVerifier, directory: any DeviceDirectory) {
    self.verifier = verifier
    self.directory = directory
  }

  /// Checks that a device is the appliance that it says it is. One that does not exist is refused as any other: nobody can probe.
  ///
  /// - Parameter credential: its secret or its token. Nil and an empty one are refused with `.authenticationRequired`.
  /// - Returns: a principal whose `subject` is the appliance's id. A secret has no end.
  package func admit(_ appliance: ApplianceID, credential: String?) async -> AccessGate.Admission {
    guard let credential, !credential.isEmpty else { return .refused(.authenticationRequired) }
    // A token has dots, a secret of ours has none.
    guard !credential.contains(".") else {
      let admission = await admit(token: credential)
      if case .admitted(let principal) = admission, principal.subject != appliance.rawValue { return .refused(.invalidOrExpiredToken) }
      return admission
    }
    do {
      guard let kept = try await directory.device(appliance)?.secretHash, let shown = OpaqueSecret.hash(presented: credential),
        Digests.constantTimeEqual(shown, kept)
      else { return .refused(.invalidOrExpiredToken) }
      return .admitted(.endless(appliance.rawValue))
    } catch {
      return .unavailable
    }
  }

  /// Checks a token. The principal's `subject` is the id of the appliance that it speaks for; one that does not exist is refused as any other.
  package func admit(token: String?) async -> AccessGate.Admission {
    let admission = await principal(token)
    return admission == .refused(.userNotFound) ? .refused(.invalidOrExpiredToken) : admission
  }

  /// Checks a device of one dialect by its token, or by its secret where it names itself.
  ///
  /// - Parameters:
  ///   - name: the appliance that it says it is; nil leaves that to the token.
  ///   - credential: nil and an empty one are refused with `.authenticationRequired`. A good token of a device that does not exist, or speaks another dialect, is
  ///     refused with `.userNotFound`: whoever holds it knows the name already.
  /// - Returns: a principal whose `subject` is the appliance's id. A secret has no end.
  package func admit(_ name: String?, credential: String?, speaking dialect: Dialect) async -> AccessGate.Admission {
    let admission: AccessGate.Admission
    if let name, let credential, !credential.isEmpty, !credential.contains(".") {
      admission = await admit(name, secret: credential)
    } else {
      admission = await principal(credential)
    }
    guard case .admitted(let principal) = admission else { return admission }
    guard name == nil || name == principal.subject, let appliance = try? ApplianceID(principal.subject) else {
      return .refused(.invalidOrExpiredToken)
    }
    do {
      return try await directory.device(appliance)?.dialect == dialect ? admission : .refused(.userNotFound)
    } catch {
      return .unavailable
    }
  }

  private func admit(_ name: String, secret: String) async -> AccessGate.Admission {
    guard let appliance = try? ApplianceID(name) else { return .refused(.invalidOrExpiredToken) }
    return await admit(appliance, credential: secret)
  }

  /// Whom a token speaks for; `.userNotFound` for a device that does not exist.
  private func principal(_ token: String?) async -> AccessGate.Admission {
    switch await verifier.verify(token ?? "", as: .device, now: .now()) {
    case .refused(let error): return .refused(error)
    case .unavailable: return .unavailable
    case .valid(let principal):
      guard let appliance = try? ApplianceID(principal.subject) else { return .refused(.invalidOrExpiredToken) }
      do {
        guard try await directory.device(appliance) != nil else { return .refused(.userNotFound) }
        if let tokenID = principal.tokenID, try await directory.isRevoked(tokenID: tokenID) { return .refused(.tokenRevoked) }
        return .admitted(principal)
      } catch {
        return .unavailable
      }
    }
  }
}
