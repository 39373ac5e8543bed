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
  package enum Admission: Hashable, Sendable {
    case admitted(ApplianceID)
    /// Also for an appliance that does not exist: nobody can probe.
    case refused(AccessError)
    case unavailable
  }

  private let verifier: TokenVerifier
  private let directory: any DeviceDirectory

  package init(verifier: TokenVerifier, directory: any DeviceDirectory) {
    self.verifier = verifier
    self.directory = directory
  }

  /// Checks that a device is the appliance that it says it is.
  ///
  /// - Parameter credential: its secret or its token. Nil and an empty one are refused with `.authenticationRequired`.
  package func admit(_ appliance: ApplianceID, credential: String?) async -> Admission {
    guard let credential, !credential.isEmpty else { return .refused(.authenticationRequired) }
    // A token has dots, a secret of ours has none.
    guard !credential.contains(".") else {
      let admission = await admit(token: credential)
      return admission == .admitted(appliance) || !admission.isAdmitted ? admission : .refused(.invalidOrExpiredToken)
    }
    do {
      guard let kept = try await directory.device(appliance)?.secretHash, let shown = OpaqueSecret.hash(presented: credential),
        Digests.constantTimeEqual(shown, kept)
      else { return .refused(.invalidOrExpiredToken) }
      return .admitted(appliance)
    } catch {
      return .unavailable
    }
  }

  /// Checks a token and answers which appliance it speaks for.
  package func admit(token: String?) async -> Admission {
    switch await verifier.verify(token ?? "", as: .device, now: .now()) {
    case .refused(let error): return .refused(error)
    case .unavailable: return .unavailable
    case .valid(let principal):
      guard let appliance = try? ApplianceID(principal.subject) else { return .refused(.invalidOrExpiredToken) }
      do {
        guard try await directory.device(appliance) != nil else { return .refused(.invalidOrExpiredToken) }
        if let tokenID = principal.tokenID, try await directory.isRevoked(tokenID: tokenID) { return .refused(.tokenRevoked) }
        return .admitted(appliance)
      } catch {
        return .unavailable
      }
    }
  }
}

extension DeviceGate.Admission {
  fileprivate var isAdmitted: Bool { if case .admitted = self { true } else { false } }
}
