package import Models
package import Store

/// A directory's answers about devices, kept like those of `CachedAccess` about users, so that a database that is down keeps no device out that was in.
package final class CachedDevices: DeviceDirectory {
  private let directory: any DeviceDirectory
  private let devices = AnswerCache<ApplianceID, Device?>()
  private let revocations = AnswerCache<String, Bool>()

  package init(_ directory: any DeviceDirectory) { self.directory = directory }

  package func device(_ appliance: ApplianceID) async throws -> Device? {
    try await devices.answer(appliance) { try await directory.device(appliance) }
  }

  package func isRevoked(tokenID: String) async throws -> Bool {
    try await revocations.answer(tokenID) { try await directory.isRevoked(tokenID: tokenID) }
  }

  /// Forgets what the change concerns.
  package func invalidate(_ change: AccessChange) {
    switch change {
    case .everything:
      devices.invalidate()
      revocations.invalidate()
    case .appliance(let id): devices.invalidate { $0 == id }
    case .token(let id, ofUser: _): revocations.invalidate { $0 == id }
    case .user, .sensors: break
    }
  }
}
