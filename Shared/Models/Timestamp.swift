/// A moment, in whole microseconds of UTC since 1970-01-01 (the resolution of PostgreSQL's `timestamptz`).
package struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var microseconds: Int64

  package init(microseconds: Int64) { self.microseconds = microseconds }

  package static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

  package static func + (left: Timestamp, right: Duration) -> Timestamp {
    let (seconds, attoseconds) = right.components
    return Timestamp(microseconds: left.microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
  }

  package static func - (left: Timestamp, right: Timestamp) -> Duration { .microseconds(left.microseconds - right.microseconds) }

  package var description: String { iso8601 }

  /// ISO 8601 in UTC, with as much fraction as there is: `2026-02-14T12:30:00Z`, `….250Z`, `….250125Z`.
  package var iso8601: String {
    let fraction = microseconds - microseconds.flooringDivision(by: 1_000_000) * 1_000_000
    if fraction % 1000 != 0 { return "\(dateAndTime).\(padded(fraction, 6))Z" }
    return fraction == 0 ? "\(dateAndTime)Z" : "\(dateAndTime).\(padded(fraction / 1000, 3))Z"
  }

  /// The same in the form of the WebMACS document, always with microseconds and without the zone: `2025-01-15T14:30:00.123456`.
  package var iso8601WithoutZone: String {
    "\(dateAndTime).\(padded(microseconds - microseconds.flooringDivision(by: 1_000_000) * 1_000_000, 6))"
  }

  private var dateAndTime: String {
    let day = microseconds.flooringDivision(by: 86_400_000_000)
    let rest = microseconds - day * 86_400_000_000
    let (year, month, dayOfMonth) = CivilDate.from(daysSince1970: day)
    let seconds = rest / 1_000_000
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T"
      + "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
  }

  /// Reads RFC 3339, section 5.6: date, `T` or a space, time, up to nine digits of fraction (cut to microseconds), and `Z` or an offset.
  /// Nil for anything else, a date that does not exist, and years outside 1970 to 9999.
  package init?(iso8601 text: String) {
    var reader = DigitReader(text.utf8)
    guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"), let day = reader.number(2),
      reader.take("T") || reader.take("t") || reader.take(" "),
      let hour = reader.number(2), reader.take(":"), let minute = reader.number(2), reader.take(":"), let second = reader.number(2),
      let fraction = reader.fraction(), let offset = reader.offset(), reader.isAtEnd,
      (1970...9999).contains(year), hour < 24, minute < 60, second <= 60,
      let days = CivilDate.daysSince1970(year: year, month: month, day: day)
    else { return nil }
    // A leap second is told as the last moment of its minute.
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + min(second, 59) - offset
    microseconds = seconds * 1_000_000 + (second == 60 ? 999_999 : fraction)
  }
}

private func padded(_ number: Int64, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// Reads the fixed fields of a timestamp.
private struct DigitReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ text: String.UTF8View) { bytes = Array(text.prefix(40)) }

  var isAtEnd: Bool { position == bytes.count }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func digit() -> Int64? {
    guard position < bytes.count, (48...57).contains(bytes[position]) else { return nil }
    defer { position += 1 }
    return Int64(bytes[position] - 48)
  }

  mutating func number(_ width: Int) -> Int64? {
    var value: Int64 = 0
    for _ in 0..<width {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// Microseconds; 0 where there is no fraction, nil for a point with none or more than nine digits behind it.
  mutating func fraction() -> Int64? {
    guard take(".") else { return 0 }
    var value: Int64 = 0
    var count = 0
    while let digit = digit() {
      if count < 6 { value = value * 10 + digit }
      count += 1
    }
    guard (1...9).contains(count) else { return nil }
    for _ in 0..<max(0, 6 - count) { value *= 10 }
    return value
  }

  /// Seconds east of UTC.
  mutating func offset() -> Int64? {
    if take("Z") || take("z") { return 0 }
    let sign: Int64 = take("+") ? 1 : -1
    guard sign == 1 || take("-"), let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60 else { return nil }
    return sign * (hours * 3600 + minutes * 60)
  }
}

/// The proleptic Gregorian calendar, by days since 1970-01-01.
private enum CivilDate {
  static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64? {
    guard (1...12).contains(month), (1...daysIn(month: month, year: year)).contains(day) else { return nil }
    // Years begin in March here, so that the leap day is the last of its year.
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear.flooringDivision(by: 400)
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  static func from(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = shifted.flooringDivision(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }

  private static func daysIn(month: Int64, year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

extension Int64 {
  fileprivate func flooringDivision(by divisor: Int64) -> Int64 {
    let quotient = self / divisor
    return self % divisor < 0 ? quotient - 1 : quotient
  }
}
