/// Accepted readings of a controller on their way through the backbone: the event `telemetry:datapoints`, one for each batch.
///
/// Its `data`: `{"experiment_public_id":"exp-001","datapoints":[{"event_public_id":"abc-123","value":23.5},…]}`, where the experiment is null when none
/// is active. The event's `timestamp` is that of all of them.
package enum WebMACSDatapoints {
  /// The longest name of a sensor, in characters (Unicode scalars).
  package static let eventIDLengthMax = 64

  package static func isEventID(_ text: String) -> Bool {
    // Counted in bytes first: most names are short and plain.
    !text.isEmpty && (text.utf8.count <= eventIDLengthMax || text.unicodeScalars.count <= eventIDLengthMax) && !text.utf8.contains(0)
  }

  /// - Parameter datapoints: not empty.
  package static func event(
    of controller: ApplianceID, at timestamp: Timestamp, experimentID: String?, _ datapoints: [WebMACSBatch.Datapoint]
  ) -> Event {
    var data: [UInt8] = []
    data.reserveCapacity(64 + 96 * datapoints.count)
    data.append("{\"experiment_public_id\":")
    data.append(jsonOrNull: experimentID)
    data.append(",\"datapoints\":[")
    for (index, datapoint) in datapoints.enumerated() {
      data.append(index == 0 ? "{\"event_public_id\":" : ",{\"event_public_id\":")
      data.append(json: datapoint.eventID)
      data.append(",\"value\":")
      data += datapoint.value
      data.append(UInt8(ascii: "}"))
    }
    data.append("]}")
    return Event(type: .datapoints, applianceID: controller, timestamp: timestamp, data: data)
  }

  /// The readings inside an event's `data`, in order, and the experiment that they belong to. What is not as `event` writes it is left out: a device that
  /// speaks MQTT may send an event of this type too.
  package static func read(_ data: [UInt8]) -> (experimentID: String?, datapoints: [WebMACSBatch.Datapoint]) {
    var reader = WebMACSFrameReader()
    data.withUnsafeBufferPointer { reader.read($0) }
    return (reader.experimentID, reader.batch.datapoints)
  }
}

/// One of the document's datapoint objects, as apps get them.
package struct WebMACSDatapoint: Hashable, Sendable {
  package let eventID: String
  /// A finite JSON number.
  package let value: [UInt8]
  package let timestamp: Timestamp
  package let experimentID: String?

  package init(eventID: String, value: [UInt8], timestamp: Timestamp, experimentID: String?) {
    self.eventID = eventID
    self.value = value
    self.timestamp = timestamp
    self.experimentID = experimentID
  }

  /// `{"value","event_public_id","timestamp","experiment_public_id"}`; the timestamp is UTC, in microseconds and without a zone.
  package func append(to text: inout [UInt8]) {
    text.append("{\"value\":")
    text += value
    text.append(",\"event_public_id\":")
    text.append(json: eventID)
    text.append(",\"timestamp\":\"")
    text += timestamp.iso8601WithoutZone.utf8
    text.append("\",\"experiment_public_id\":")
    text.append(jsonOrNull: experimentID)
    text.append(UInt8(ascii: "}"))
  }
}

extension Event {
  /// Readings of a controller: each sensor's name is a metric.
  func datapointReadings() -> [Reading] {
    WebMACSDatapoints.read(data).datapoints.compactMap { datapoint in
      JSONNumber.double(datapoint.value).map {
        Reading(applianceID: applianceID, metric: datapoint.eventID, timestamp: timestamp, value: $0)
      }
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append(jsonOrNull text: String?) {
    if let text { append(json: text) } else { append("null") }
  }
}
