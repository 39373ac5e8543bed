internal import Access
internal import Logging
internal import Models
internal import Store
internal import Synchronization

/// Which devices may come in. Each must prove that it is the one that it says it is, but for a camera without a secret of which it was said that it
/// is taken at its word (the document's hello; SPEC, section 4).
final class DeviceDoor: Sendable {
  enum Admission: Hashable, Sendable {
    /// Until the end of the token that it showed; nil for one that came by its secret, or is taken at its word.
    case admitted(until: Timestamp?)
    /// With what the device is told. The same for a device that does not exist and for one that does not prove itself: nobody can probe.
    case refused(String)
    case unavailable
  }

  private let cameras: WatchStore
  private let gate: DeviceGate
  private let logger: Logger
  /// Strangers cannot fill the log.
  private let logged = Mutex(TokenBucket(burst: 50, perSecond: 1))

  init(cameras: WatchStore, gate: DeviceGate, logger: Logger) { (self.cameras, self.gate, self.logger) = (cameras, gate, logger) }

  func admit(_ device: ApplianceID, credential: String?) async -> Admission {
    let camera: Camera?
    do { camera = try await cameras.camera(device) } catch { return .unavailable }
    if camera?.needsNoProof == true { return .admitted(until: nil) }
    switch await gate.admit(device, credential: credential) {
    case .admitted(let principal): return .admitted(until: principal.isEndless ? nil : principal.expiresAt)
    case .refused(let error):
      logRefusal(of: device, Self.reason(camera, error))
      return .refused(error == .authenticationRequired ? SignalingRejection.deviceNotFound.message : error.text)
    case .unavailable: return .unavailable
    }
  }

  /// Checks a token that is to take the place of the one by which a device came in. Its `subject` says whose it is.
  func check(token: String) async -> AccessGate.Admission { await gate.admit(token: token) }

  /// What only the log says.
  private static func reason(_ camera: Camera?, _ error: AccessError) -> String {
    switch (camera, error) {
    case (nil, _): "there is no such appliance"
    case (let camera?, .authenticationRequired):
      camera.hasSecret
        ? "it did not show its secret"
        : "it has no secret and is not registered with accepts_unproven: make it a secret, or a token with `martletctl token --device`"
    case (_, _): "what it showed is not its secret, and no token for it: \(error.text)"
    }
  }

  private func logRefusal(of device: ApplianceID, _ reason: String) {
    guard logged.withLock({ $0.spend(at: .now()) }) else { return }
    logger.warning("a device was refused: \(reason)", metadata: ["appliance_id": "\(device)"])
  }
}
