/// The names and values behind a URL's `?`.
enum QueryText {
  /// More of them are no question of ours.
  private static let countMax = 64

  /// Throws the problem that names the parameter which stands twice or is no text.
  static func parse(_ query: String?) throws(Problem) -> [String: String] {
    var values: [String: String] = [:]
    for (index, pair) in (query ?? "").split(separator: "&").enumerated() {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard index < countMax, let name = decode(parts[0]), let value = decode(parts.count > 1 ? parts[1] : "") else {
        throw Problem(.invalidParameter, "The query is not made of names and values in percent-encoded UTF-8.")
      }
      guard values.updateValue(value, forKey: name) == nil else {
        throw Problem(.invalidParameter, violations: [Violation(place: String(name.prefix(80)), detail: "stands twice: keep one")])
      }
    }
    return values
  }

  /// A part of a URL as its text; nil when it is not percent-encoded UTF-8. In a query `+` is a space.
  static func decode(_ text: some StringProtocol, plusIsSpace: Bool = true) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8.makeIterator()
    while let byte = rest.next() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else { return nil }
        bytes.append(high << 4 | low)
      case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
      default: bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// A text as a part of a path.
  static func encode(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
        encoded.append(byte)
      default: encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? { Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init) }
}
