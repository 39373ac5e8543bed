internal import Access
internal import Models

/// Who may come in and what they may see. Never throws: a directory that cannot be asked is an answer too.
struct AccessGate: Sendable {
  enum Admission: Hashable, Sendable {
    case admitted(userID: String)
    case refused(AccessError)
    case unavailable
  }

  enum Watch: Hashable, Sendable {
    case allowed
    /// Also for an appliance that does not exist: nobody can probe.
    case refused
    case unavailable
  }

  /// What is left of a user's rights.
  struct Recheck: Hashable, Sendable {
    let userExists: Bool
    let lost: [ApplianceID]
  }

  let verifier: TokenVerifier
  let directory: any AccessDirectory

  func admit(_ token: String?) async -> Admission {
    do throws(AccessError) {
      let principal = try await verifier.verify(token ?? "", now: .now())
      switch try? await directory.userExists(principal.userID) {
      case true?: return .admitted(userID: principal.userID)
      case false?: return .refused(.userNotFound)
      case nil: return .unavailable
      }
    } catch {
      return .refused(error)
    }
  }

  func mayWatch(_ userID: String, _ appliance: ApplianceID) async -> Watch {
    switch try? await directory.mayWatch(userID: userID, appliance: appliance) {
    case true?: .allowed
    case false?: .refused
    case nil: .unavailable
    }
  }

  /// Nil when the directory cannot be asked.
  func recheck(_ userID: String, _ appliances: [ApplianceID]) async -> Recheck? {
    do {
      var lost: [ApplianceID] = []
      guard try await directory.userExists(userID) else { return Recheck(userExists: false, lost: appliances) }
      for appliance in appliances where !(try await directory.mayWatch(userID: userID, appliance: appliance)) { lost.append(appliance) }
      return Recheck(userExists: true, lost: lost)
    } catch {
      return nil
    }
  }
}
