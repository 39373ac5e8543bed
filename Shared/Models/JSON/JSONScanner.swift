/// Why a text is not the JSON that was wanted. Offsets count bytes from the start of the text.
package enum JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  case invalidUTF8
  case unexpected(offset: Int)
  case tooDeep(limit: Int)
  case notAnObject
  case duplicateMember(String)

  package var description: String {
    switch self {
    case .invalidUTF8: "the text is not valid UTF-8"
    case .unexpected(let offset): "malformed JSON at byte \(offset)"
    case .tooDeep(let limit): "JSON nested deeper than \(limit) levels"
    case .notAnObject: "not a JSON object"
    case .duplicateMember(let name): "the member '\(name.prefix(64))' stands twice"
    }
  }
}

/// A cursor over one JSON text that checks it against RFC 8259 while it moves. It allocates nothing.
///
/// The buffer must outlive the scanner: it is made and used inside one `withUnsafeBufferPointer`.
struct JSONScanner {
  /// Nesting that no device needs, and that no recursion here can be hurt by.
  static let depthMax = 32

  private let bytes: UnsafeBufferPointer<UInt8>
  private(set) var position = 0

  /// Whether `NaN`, `Infinity` and `-Infinity` pass as numbers. They are none of JSON's, and `JSONNumber` reads them as nothing.
  private let knowsNonFinite: Bool

  init(_ bytes: UnsafeBufferPointer<UInt8>, knowsNonFinite: Bool = false) {
    self.bytes = bytes
    self.knowsNonFinite = knowsNonFinite
  }

  var isAtEnd: Bool { position == bytes.count }
  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipWhitespace() {
    while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
  }

  /// Takes `byte` if it stands next.
  mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  mutating func expect(_ byte: UInt8) throws(JSONError) {
    guard take(byte) else { throw .unexpected(offset: position) }
  }

  /// Moves past one value of any kind; `depth` is the number of objects and arrays around it.
  mutating func skipValue(depth: Int) throws(JSONError) {
    switch next {
    case UInt8(ascii: "{"): try skipObject(depth: depth + 1)
    case UInt8(ascii: "["): try skipArray(depth: depth + 1)
    case UInt8(ascii: "\""): try skipString()
    case UInt8(ascii: "t"): try skipLiteral("true")
    case UInt8(ascii: "f"): try skipLiteral("false")
    case UInt8(ascii: "n"): try skipLiteral("null")
    default: try skipNumber()
    }
  }

  /// Moves past an object, handing each member's name (with its quotes) and the scanner, standing at the value, to `member`,
  /// which must move past that value.
  mutating func skipObject(
    depth: Int, member: (Range<Int>, inout JSONScanner) throws(JSONError) -> Void
  ) throws(JSONError) {
    guard depth <= Self.depthMax else { throw .tooDeep(limit: Self.depthMax) }
    try expect(UInt8(ascii: "{"))
    skipWhitespace()
    if take(UInt8(ascii: "}")) { return }
    repeat {
      skipWhitespace()
      let start = position
      try skipString()
      let name = start..<position
      skipWhitespace()
      try expect(UInt8(ascii: ":"))
      skipWhitespace()
      try member(name, &self)
      skipWhitespace()
    } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
  }

  /// Moves past an array, handing each element's index and the scanner to `element`, which must move past that element.
  mutating func skipArray(
    depth: Int, element: (Int, inout JSONScanner) throws(JSONError) -> Void
  ) throws(JSONError) {
    guard depth <= Self.depthMax else { throw .tooDeep(limit: Self.depthMax) }
    try expect(UInt8(ascii: "["))
    skipWhitespace()
    if take(UInt8(ascii: "]")) { return }
    var index = 0
    repeat {
      skipWhitespace()
      try element(index, &self)
      index += 1
      skipWhitespace()
    } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
  }

  private mutating func skipObject(depth: Int) throws(JSONError) {
    try skipObject(depth: depth) { (_, scanner) throws(JSONError) in try scanner.skipValue(depth: depth) }
  }

  private mutating func skipArray(depth: Int) throws(JSONError) {
    try skipArray(depth: depth) { (_, scanner) throws(JSONError) in try scanner.skipValue(depth: depth) }
  }

  private mutating func skipLiteral(_ literal: StaticString) throws(JSONError) {
    for index in 0..<literal.utf8CodeUnitCount { try expect(literal.utf8Start[index]) }
  }

  mutating func skipString() throws(JSONError) {
    try expect(UInt8(ascii: "\""))
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return
      case UInt8(ascii: "\\"): try skipEscape()
      case ..<0x20: throw .unexpected(offset: position - 1)
      default: continue
      }
    }
    throw .unexpected(offset: position)
  }

  private mutating func skipEscape() throws(JSONError) {
    guard let escaped = next else { throw .unexpected(offset: position) }
    position += 1
    switch escaped {
    case UInt8(ascii: "u"):
      for _ in 0..<4 {
        guard let digit = next, Self.hexadecimalValue(digit) != nil else { throw .unexpected(offset: position) }
        position += 1
      }
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
      UInt8(ascii: "r"), UInt8(ascii: "t"):
      return
    default: throw .unexpected(offset: position - 1)
    }
  }

  mutating func skipNumber() throws(JSONError) {
    _ = take(UInt8(ascii: "-"))
    if knowsNonFinite, next == UInt8(ascii: "N") { return try skipLiteral("NaN") }
    if knowsNonFinite, next == UInt8(ascii: "I") { return try skipLiteral("Infinity") }
    if !take(UInt8(ascii: "0")) { try skipDigits() }
    if take(UInt8(ascii: ".")) { try skipDigits() }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try skipDigits()
    }
  }

  private mutating func skipDigits() throws(JSONError) {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > start else { throw .unexpected(offset: position) }
  }

  static func hexadecimalValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }
}
