internal import Access
internal import Models
internal import Store

/// Which devices may come in. One that was registered with a secret must prove it; a camera that was registered without is taken at its word
/// (the document's hello).
struct DeviceDoor: Sendable {
  enum Admission: Hashable, Sendable {
    case admitted
    /// With what the device is told. The same for a device that does not exist and for one that does not prove itself: nobody can probe.
    case refused(String)
    case unavailable
  }

  let cameras: WatchStore
  let gate: DeviceGate

  func admit(_ device: ApplianceID, credential: String?) async -> Admission {
    do {
      if let camera = try await cameras.camera(device), camera.needsNoProof { return .admitted }
    } catch {
      return .unavailable
    }
    switch await gate.admit(device, credential: credential) {
    case .admitted: return .admitted
    case .refused(.authenticationRequired): return .refused(SignalingRejection.deviceNotFound.message)
    case .refused(let error): return .refused(error.text)
    case .unavailable: return .unavailable
    }
  }
}
