import Models

/// A lab controller without a lab: sensors whose readings wander about. Pure; the same seed gives the same readings.
struct LabController: Sendable {
  private struct Sensor {
    let id: String
    var value: Double
  }

  private var sensors: [Sensor]
  private var random: SeededGenerator

  init(sensors: [String], seed: UInt64) {
    random = SeededGenerator(seed: seed)
    self.sensors = []
    for id in sensors { self.sensors.append(Sensor(id: id, value: .random(in: 10..<100, using: &random))) }
  }

  /// The next reading of each sensor, as the document's batch.
  mutating func batch() -> [UInt8] {
    var text: [UInt8] = []
    text.append("{\"datapoints\":[")
    for index in sensors.indices {
      sensors[index].value += .random(in: -1...1, using: &random)
      text.append(index == 0 ? "{\"value\":" : ",{\"value\":")
      text += String((sensors[index].value * 100).rounded() / 100).utf8
      text.append(",\"event_public_id\":")
      text.append(json: sensors[index].id)
      text.append(UInt8(ascii: "}"))
    }
    text.append("]}")
    return text
  }
}
