import Models
import Synchronization

/// When an appliance was last heard, and for how long it may be silent from then on.
struct Sighting: Hashable, Sendable {
  let at: Timestamp
  let silenceMax: Duration

  var deadline: Timestamp { at + silenceMax }
}

/// The appliances that were heard since somebody last asked.
final class Sightings: Sendable {
  /// Past it new ones are not noted: they will be with what they say next.
  static let countMax = 65_536

  /// By dialect, the silence after which a device is offline that says nothing when it leaves. A robot that stands still says how its system is.
  private static let silenceMax = [("reefnet/", ReefnetStatus.silenceMax), ("oht50/", Duration.seconds(60))]
  static let silenceMaxLongest = silenceMax.map(\.1).max() ?? .zero

  /// Nil for devices that tell their status themselves.
  static func silenceMax(topic: String) -> Duration? { silenceMax.first { topic.hasPrefix($0.0) }?.1 }

  private let seen = Mutex<[ApplianceID: Sighting]>([:])

  func note(_ sightings: [ApplianceID: Sighting]) {
    guard !sightings.isEmpty else { return }
    seen.withLock { seen in
      for (appliance, sighting) in sightings {
        if let known = seen[appliance] {
          if sighting.at > known.at { seen[appliance] = sighting }
        } else if seen.count < Self.countMax {
          seen[appliance] = sighting
        }
      }
    }
  }

  func take() -> [ApplianceID: Sighting] {
    seen.withLock { seen in
      defer { seen = [:] }
      return seen
    }
  }
}
