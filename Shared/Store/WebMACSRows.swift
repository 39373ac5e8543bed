package import Models

/// What a lab controller measures: an "event" in the WebMACS document.
package struct Sensor: Hashable, Sendable {
  /// The document's `event_public_id`, 1 to 64 characters. No two controllers have the same one.
  package let id: String
  package let name: String
  /// Such as `°C`; empty where it has none.
  package let unit: String

  package init(id: String, name: String, unit: String) {
    self.id = id
    self.name = name
    self.unit = unit
  }

  /// The most that one controller can have.
  package static let countMax = 1000
}

/// A driver on a controller that reads sensors. While it is not enabled, what only it reads is not taken in.
package struct Plugin: Hashable, Sendable {
  package let id: String
  package let name: String
  package let isEnabled: Bool
  /// The ids of the sensors that it reads, in their order.
  package let sensorIDs: [String]

  package init(id: String, name: String, isEnabled: Bool, sensorIDs: some Sequence<String>) {
    self.id = id
    self.name = name
    self.isEnabled = isEnabled
    self.sensorIDs = Set(sensorIDs).sorted()
  }

  /// The most that one controller can have.
  package static let countMax = 200
}

/// A run of a controller whose readings belong together. One of a controller is active at a time.
package struct Experiment: Hashable, Sendable {
  package let id: String
  package let name: String
  package let createdAt: Timestamp
  /// Nil before it was started.
  package let startedAt: Timestamp?
  /// Nil while it is active, and before.
  package let stoppedAt: Timestamp?
}

/// Where a page of experiments ended.
package struct ExperimentPosition: Hashable, Sendable {
  package let createdAt: Timestamp
  package let id: String

  package init(createdAt: Timestamp, id: String) {
    self.createdAt = createdAt
    self.id = id
  }
}

/// The newest reading of a sensor, as the document's datapoint.
package struct LatestDatapoint: Hashable, Sendable {
  package let sensorID: String
  package let value: Double
  package let timestamp: Timestamp
  /// The experiment that was active then.
  package let experimentID: String?
}
