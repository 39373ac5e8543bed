/// One number that an appliance measured.
package struct Reading: Hashable, Sendable {
  package let applianceID: ApplianceID
  /// The dotted path of the number in its event (`temperature`, `cv_status.confidence`), at most 128 bytes.
  package let metric: String
  package let timestamp: Timestamp
  package let value: Double

  package init(applianceID: ApplianceID, metric: String, timestamp: Timestamp, value: Double) {
    self.applianceID = applianceID
    self.metric = metric
    self.timestamp = timestamp
    self.value = value
  }
}

extension Event {
  /// Numbers that one event may bring; the rest stay in the event alone.
  package static let readingCountMax = 256
  static let metricLengthMax = 128

  /// The finite numbers inside `data`, each under its dotted path, in the order of the text (SPEC, section 1). Elements of arrays are named by
  /// their index. Strings and booleans are no numbers, and neither is what exceeds a double.
  package func readings() -> [Reading] {
    var collector = ReadingCollector(applianceID: applianceID, timestamp: timestamp)
    data.withUnsafeBufferPointer { buffer in
      var scanner = JSONScanner(buffer)
      // `data` was checked when the event was read: a failure here means that it was made by hand, and it has no readings then.
      try? collector.collect(&scanner, in: buffer, path: "", depth: 0)
    }
    return collector.readings
  }
}

private struct ReadingCollector {
  let applianceID: ApplianceID
  let timestamp: Timestamp
  var readings: [Reading] = []

  mutating func collect(
    _ scanner: inout JSONScanner, in buffer: UnsafeBufferPointer<UInt8>, path: String, depth: Int
  ) throws(JSONError) {
    switch scanner.next ?? 0 {
    case UInt8(ascii: "{"):
      try scanner.skipObject(depth: depth + 1) { (name, scanner) throws(JSONError) in
        try collect(&scanner, in: buffer, path: joined(path, JSONString.decode(buffer[name])), depth: depth + 1)
      }
    case UInt8(ascii: "["):
      try scanner.skipArray(depth: depth + 1) { (index, scanner) throws(JSONError) in
        try collect(&scanner, in: buffer, path: joined(path, String(index)), depth: depth + 1)
      }
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      let start = scanner.position
      try scanner.skipNumber()
      add(path, buffer[start..<scanner.position])
    default:
      try scanner.skipValue(depth: depth)
    }
  }

  private mutating func add(_ path: String, _ text: some Collection<UInt8>) {
    guard readings.count < Event.readingCountMax, (1...Event.metricLengthMax).contains(path.utf8.count), !path.utf8.contains(0),
      let value = JSONNumber.double(text)
    else { return }
    readings.append(Reading(applianceID: applianceID, metric: path, timestamp: timestamp, value: value))
  }

  private func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}
