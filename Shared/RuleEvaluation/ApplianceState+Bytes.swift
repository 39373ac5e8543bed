import Models

/// The state as the bytes in which it is stored: a version, then each series with integers in little-endian order.
extension ApplianceState {
  private static let version: UInt8 = 1

  package func encoded() -> [UInt8] {
    var bytes = ByteWriter()
    bytes.add(Self.version)
    bytes.add(UInt32(series.count))
    for (key, series) in series {
      bytes.add(key.rule)
      bytes.add(key.metric)
      bytes.add(series.ruleID)
      bytes.add(UInt8(series.isFiring ? 1 : 0))
      bytes.add(series.heldSince)
      bytes.add(series.newest)
      bytes.add(series.received)
      bytes.add(series.value.bitPattern)
      bytes.add(series.lastFired)
      bytes.add(series.fingerprint)
      bytes.add(UInt8(series.samples.count))
      for sample in series.samples {
        bytes.add(sample.at)
        bytes.add(sample.value.bitPattern)
      }
    }
    return bytes.bytes
  }

  /// Nil when these are not the bytes of a state that this build knows.
  package init?(_ bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    guard reader.integer(UInt8.self) == Self.version, let count = reader.integer(UInt32.self), count <= Self.seriesMax else { return nil }
    for _ in 0..<count {
      guard let (key, series) = reader.series() else { return nil }
      self.series[key] = series
    }
    guard reader.isAtEnd else { return nil }
    // Too early, so the first input looks at all of them.
    dueNoSoonerThan = series.isEmpty ? nil : Timestamp(microseconds: 0)
  }
}

private struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }

  /// At most 128 bytes each.
  mutating func add(_ text: String) {
    add(UInt8(truncatingIfNeeded: text.utf8.count))
    bytes += text.utf8
  }

  mutating func add(_ time: Timestamp) { add(time.microseconds) }
  mutating func add(_ time: Timestamp?) { add(time?.microseconds ?? .min) }
}

private struct ByteReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func integer<T: FixedWidthInteger>(_: T.Type) -> T? {
    guard let slice = take(T.bitWidth / 8) else { return nil }
    return slice.reversed().reduce(0) { $0 << 8 | T(truncatingIfNeeded: $1) }
  }

  mutating func text() -> String? {
    integer(UInt8.self).flatMap { take(Int($0)) }.map { String(decoding: $0, as: UTF8.self) }
  }

  mutating func time() -> Timestamp? { integer(Int64.self).map(Timestamp.init(microseconds:)) }

  /// The outer nil is for bytes that end too early.
  mutating func optionalTime() -> Timestamp?? {
    integer(Int64.self).map { $0 == .min ? Timestamp?.none : Timestamp(microseconds: $0) }
  }

  mutating func double() -> Double? { integer(UInt64.self).map(Double.init(bitPattern:)) }

  mutating func series() -> (ApplianceState.Key, Series)? {
    guard let rule = integer(UInt64.self), let metric = text(), let ruleID = text(), let flags = integer(UInt8.self),
      let heldSince = optionalTime(), let newest = time(), let received = time(), let value = double(), let lastFired = optionalTime(),
      let fingerprint = integer(UInt64.self), let sampleCount = integer(UInt8.self), sampleCount <= Series.samplesMax
    else { return nil }
    var series = Series(ruleID: ruleID, newest: newest, received: received, value: value)
    series.isFiring = flags & 1 == 1
    series.heldSince = heldSince
    series.lastFired = lastFired
    series.fingerprint = fingerprint
    for _ in 0..<sampleCount {
      guard let at = time(), let value = double() else { return nil }
      series.samples.append(Series.Sample(at: at, value: value))
    }
    return (ApplianceState.Key(rule: rule, metric: metric), series)
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard bytes.count - position >= count else { return nil }
    defer { position += count }
    return bytes[position..<position + count]
  }
}
