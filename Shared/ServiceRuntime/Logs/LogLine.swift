import Logging

/// One log record as the bytes of one line, bounded whatever it is given.
enum LogLine {
  /// A value longer than this is cut, and says so.
  static let valueBytesMax = 2048
  /// Fields past this many are left out.
  static let fieldsMax = 32
  /// Depth to which arrays and dictionaries in metadata are shown.
  static let depthMax = 4

  struct Record {
    /// Milliseconds since 1970.
    var time: Int64
    var level: Logger.Level
    var service: String
    var label: String
    var message: String
    var error: String?
    /// Sorted by key.
    var fields: [(key: String, value: Logger.MetadataValue)]
  }

  private static let reserved: Set = ["time", "level", "service", "logger", "message", "error"]

  /// `{"time":…,"level":…,"service":…,"logger":…,"message":…,"error":…, …}`: the fields stand beside the fixed members; a
  /// field that has the name of one gets a `_` before it.
  static func json(_ record: Record) -> [UInt8] {
    var line: [UInt8] = []
    line.reserveCapacity(256)
    line += Array("{\"time\":\"".utf8)
    appendTime(record.time, to: &line)
    line += Array("\",\"level\":\"\(record.level.rawValue)\"".utf8)
    let texts = [("service", record.service), ("logger", record.label), ("message", record.message), ("error", record.error)]
    for case (let name, let text?) in texts {
      line += Array(",\"\(name)\":".utf8)
      JSONText.append(text, to: &line, bytesMax: valueBytesMax)
    }
    for (key, value) in record.fields.prefix(fieldsMax) {
      line.append(UInt8(ascii: ","))
      JSONText.append(reserved.contains(key) ? "_" + key : key, to: &line, bytesMax: 128)
      line.append(UInt8(ascii: ":"))
      append(value, to: &line, depth: 0)
    }
    line += [UInt8(ascii: "}"), UInt8(ascii: "\n")]
    return line
  }

  /// `2026-02-14T12:30:00.000Z info gateway: message key="value"`, control characters escaped so that one record is one line.
  static func plain(_ record: Record) -> [UInt8] {
    var line: [UInt8] = []
    line.reserveCapacity(256)
    appendTime(record.time, to: &line)
    line += Array(" \(record.level.rawValue) \(record.service): ".utf8)
    JSONText.appendEscaped(record.message, to: &line, bytesMax: valueBytesMax)
    if let error = record.error {
      line += Array(" error=".utf8)
      JSONText.append(error, to: &line, bytesMax: valueBytesMax)
    }
    for (key, value) in record.fields.prefix(fieldsMax) {
      line.append(UInt8(ascii: " "))
      JSONText.appendEscaped(key, to: &line, bytesMax: 128)
      line.append(UInt8(ascii: "="))
      append(value, to: &line, depth: 0)
    }
    line.append(UInt8(ascii: "\n"))
    return line
  }

  private static func append(_ value: Logger.MetadataValue, to line: inout [UInt8], depth: Int) {
    switch value {
    case .string(let text): JSONText.append(text, to: &line, bytesMax: valueBytesMax)
    case .stringConvertible(let value): JSONText.append(value.description, to: &line, bytesMax: valueBytesMax)
    case .array, .dictionary:
      guard depth < depthMax else { return JSONText.append("…", to: &line, bytesMax: 8) }
      appendNested(value, to: &line, depth: depth + 1)
    }
  }

  private static func appendNested(_ value: Logger.MetadataValue, to line: inout [UInt8], depth: Int) {
    if case .array(let values) = value {
      line.append(UInt8(ascii: "["))
      for (index, value) in values.prefix(fieldsMax).enumerated() {
        if index > 0 { line.append(UInt8(ascii: ",")) }
        append(value, to: &line, depth: depth)
      }
      line.append(UInt8(ascii: "]"))
    } else if case .dictionary(let members) = value {
      line.append(UInt8(ascii: "{"))
      for (index, (key, value)) in members.sorted(by: { $0.key < $1.key }).prefix(fieldsMax).enumerated() {
        if index > 0 { line.append(UInt8(ascii: ",")) }
        JSONText.append(key, to: &line, bytesMax: 128)
        line.append(UInt8(ascii: ":"))
        append(value, to: &line, depth: depth)
      }
      line.append(UInt8(ascii: "}"))
    }
  }

  /// RFC 3339 in UTC with milliseconds.
  private static func appendTime(_ milliseconds: Int64, to line: inout [UInt8]) {
    func append(_ number: Int64, digits: Int, _ mark: String) {
      let text = String(number)
      line += Array(repeating: UInt8(ascii: "0"), count: max(0, digits - text.utf8.count)) + Array((text + mark).utf8)
    }
    let milliseconds = max(0, milliseconds)
    let (year, month, day) = date(daysSince1970: milliseconds / 86_400_000)
    append(year, digits: 4, "-")
    append(month, digits: 2, "-")
    append(day, digits: 2, "T")
    append(milliseconds / 3_600_000 % 24, digits: 2, ":")
    append(milliseconds / 60_000 % 60, digits: 2, ":")
    append(milliseconds / 1000 % 60, digits: 2, ".")
    append(milliseconds % 1000, digits: 3, "Z")
  }

  /// The Gregorian date, by counting from 1 March of the year 0 in eras of 400 years, where leap days come last.
  private static func date(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(dividingBy: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
  }
}
