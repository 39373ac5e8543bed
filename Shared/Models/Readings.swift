/// One number that an appliance measured.
package struct Reading: Hashable, Sendable {
  package let applianceID: ApplianceID
  /// The dotted path of the number in its event (`temperature`, `cv_status.confidence`), at most 128 bytes; of a lab controller's sensor its `event_public_id`, at
  /// most 64 characters.
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
  /// Numbers that one event may bring, but for a lab controller's batch; the rest stay in the event alone.
  package static let readingCountMax = 256
  static let metricLengthMax = 128

  /// The finite numbers inside `data`, each under its dotted path, in the order of the text (SPEC, section 1). Elements of arrays are named by
  /// their index. Strings and booleans are no numbers, and neither is what exceeds a double.
  ///
  /// Of a reefnet frame it is the paths inside its `payload`, and its arrays name their elements themselves: `subsystems.heater.sensors.Primary`.
  package func readings() -> [Reading] {
    if type == .datapoints { return datapointReadings() }
    let isReefnet = type == .reefnetStatus || type == .reefnetAlarm
    var collector = ReadingCollector(applianceID: applianceID, timestamp: timestamp, elementsHaveNames: isReefnet)
    data.withUnsafeBufferPointer { buffer in
      var scanner = JSONScanner(buffer)
      // `data` was checked when the event was read: a failure here means that it was made by hand, and it has no readings then.
      if isReefnet {
        try? collector.collectMember("payload", &scanner, in: buffer)
      } else {
        try? collector.collect(&scanner, in: buffer, path: "", depth: 0)
      }
    }
    return collector.readings
  }
}

private struct ReadingCollector {
  let applianceID: ApplianceID
  let timestamp: Timestamp
  /// Whether an object in an array is named by its `key`, or is the one number that its `label` names in its `value`.
  let elementsHaveNames: Bool
  var readings: [Reading] = []

  /// Collects inside one member of the outermost object.
  mutating func collectMember(
    _ wanted: StaticString, _ scanner: inout JSONScanner, in buffer: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) {
    try scanner.skipObject(depth: 1) { (name, scanner) throws(JSONError) in
      if JSONString.decode(buffer[name]) == wanted.description {
        try collect(&scanner, in: buffer, path: "", depth: 1)
      } else {
        try scanner.skipValue(depth: 1)
      }
    }
  }

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
        try collectElement(index, &scanner, in: buffer, path: path, depth: depth + 1)
      }
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      let start = scanner.position
      try scanner.skipNumber()
      add(path, buffer[start..<scanner.position])
    default:
      try scanner.skipValue(depth: depth)
    }
  }

  private mutating func collectElement(
    _ index: Int, _ scanner: inout JSONScanner, in buffer: UnsafeBufferPointer<UInt8>, path: String, depth: Int
  ) throws(JSONError) {
    let name = elementsHaveNames ? ElementName(at: scanner, in: buffer) : nil
    guard case .label(let label) = name else {
      if case .key(let key) = name { return try collect(&scanner, in: buffer, path: joined(path, key), depth: depth) }
      return try collect(&scanner, in: buffer, path: joined(path, String(index)), depth: depth)
    }
    try scanner.skipObject(depth: depth + 1) { (member, scanner) throws(JSONError) in
      if JSONString.decode(buffer[member]) == "value" {
        try collect(&scanner, in: buffer, path: joined(path, label), depth: depth + 1)
      } else {
        try scanner.skipValue(depth: depth + 1)
      }
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

/// What an object in an array calls itself.
private enum ElementName {
  case key(String)
  case label(String)

  /// Nil for what is no object, and for one that has neither name.
  init?(at start: JSONScanner, in buffer: UnsafeBufferPointer<UInt8>) {
    guard start.next == UInt8(ascii: "{") else { return nil }
    var scanner = start
    var (key, label): (String?, String?)
    try? scanner.skipObject(depth: 1) { (member, scanner) throws(JSONError) in
      let start = scanner.position
      try scanner.skipValue(depth: 1)
      guard buffer[start] == UInt8(ascii: "\"") else { return }
      switch JSONString.decode(buffer[member]) {
      case "key": key = JSONString.decode(buffer[start..<scanner.position])
      case "label": label = JSONString.decode(buffer[start..<scanner.position])
      default: break
      }
    }
    if let key { self = .key(key) } else if let label { self = .label(label) } else { return nil }
  }
}
