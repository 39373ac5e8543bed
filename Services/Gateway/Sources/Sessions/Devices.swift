internal import Access
internal import Models
internal import Store

/// How lab controllers are set up.
protocol ControllerDirectory: Sendable {
  func settings(of controller: ApplianceID) async throws -> ControllerSettings
}

extension WebMACSStore: ControllerDirectory {}

/// Devices that connect to the gateway by themselves: who they are and how they are set up, kept for a while so that a database that is down keeps
/// none out that was in.
struct Devices: Sendable {
  private let gate: DeviceGate
  private let cache: CachedDevices
  private let controllers: any ControllerDirectory
  private let settings = AnswerCache<ApplianceID, ControllerSettings>()

  init(verifier: TokenVerifier, directory: any DeviceDirectory, controllers: any ControllerDirectory) {
    cache = CachedDevices(directory)
    gate = DeviceGate(verifier: verifier, directory: cache)
    self.controllers = controllers
  }

  /// See `DeviceGate.admit(_:credential:speaking:)`.
  func admit(_ name: String?, credential: String?, speaking dialect: Dialect) async -> AccessGate.Admission {
    await gate.admit(name, credential: credential, speaking: dialect)
  }

  /// Nil when the directory cannot be asked.
  func settings(of controller: ApplianceID) async -> ControllerSettings? {
    try? await settings.answer(controller) { try await controllers.settings(of: controller) }
  }

  /// Forgets what the change concerns.
  func invalidate(_ change: AccessChange) {
    cache.invalidate(change)
    switch change {
    case .everything: settings.invalidate()
    case .appliance(let id), .sensors(of: let id): settings.invalidate { $0 == id }
    case .user, .token: break
    }
  }
}
