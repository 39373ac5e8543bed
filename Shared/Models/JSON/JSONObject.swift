/// A JSON object whose text was checked once against RFC 8259 and is kept as it came: a value that is only passed on is
/// passed on byte for byte, so numbers keep every digit.
///
/// Throws `JSONError` on malformed text, on anything but an object, and on a member that stands twice.
package struct JSONObject: Sendable, Hashable {
  /// One member: its name with escapes resolved, and where its value stands in `bytes`.
  package struct Member: Sendable, Hashable {
    package let name: String
    let nameRange: Range<Int>
    let valueRange: Range<Int>
  }

  /// The object's own text, without the whitespace around it.
  package let bytes: [UInt8]
  /// The members in the order of the text.
  package let members: [Member]

  package init(parsing text: [UInt8]) throws(JSONError) {
    var parsed: Result<(Range<Int>, [Member]), JSONError> = .failure(.notAnObject)
    text.withUnsafeBufferPointer { buffer in parsed = Self.parse(buffer) }
    let (range, members) = try parsed.get()
    bytes = range.count == text.count ? text : Array(text[range])
    self.members =
      range.lowerBound == 0 ? members : members.map { $0.moved(by: -range.lowerBound) }
  }

  /// The raw text of a member's value, or nil if there is no such member.
  package func raw(_ name: String) -> ArraySlice<UInt8>? {
    member(name).map { bytes[$0.valueRange] }
  }

  package func raw(_ member: Member) -> ArraySlice<UInt8> { bytes[member.valueRange] }

  /// A string member with its escapes resolved, or nil if it is missing or no string.
  package func string(_ name: String) -> String? {
    guard let value = raw(name), value.first == UInt8(ascii: "\"") else { return nil }
    return JSONString.decode(value)
  }

  /// A number member as a finite double, or nil if it is missing, no number, or too large for a double.
  package func number(_ name: String) -> Double? {
    raw(name).flatMap(JSONNumber.double)
  }

  /// A member that is `true` or `false`, or nil if it is missing or something else.
  package func boolean(_ name: String) -> Bool? {
    guard let value = raw(name) else { return nil }
    return value.elementsEqual("true".utf8) ? true : value.elementsEqual("false".utf8) ? false : nil
  }

  /// A member that is an object, or nil if it is missing or something else.
  package func object(_ name: String) -> JSONObject? {
    guard let value = raw(name), value.first == UInt8(ascii: "{") else { return nil }
    return try? JSONObject(parsing: Array(value))
  }

  /// The elements of a member that is an array, each as its text, or nil if it is missing or something else.
  package func elements(_ name: String) -> [ArraySlice<UInt8>]? {
    guard let member = member(name), bytes[member.valueRange].first == UInt8(ascii: "[") else { return nil }
    let start = member.valueRange.lowerBound
    var ranges: [Range<Int>] = []
    bytes[member.valueRange].withUnsafeBufferPointer { buffer in
      var scanner = JSONScanner(buffer)
      try? scanner.skipArray(depth: 2) { (_, scanner) throws(JSONError) in
        let first = scanner.position
        try scanner.skipValue(depth: 2)
        ranges.append(start + first..<start + scanner.position)
      }
    }
    return ranges.map { bytes[$0] }
  }

  package func contains(_ name: String) -> Bool { member(name) != nil }

  /// The member's own text, `"name":value`, as it stood.
  package func text(of member: Member) -> [UInt8] {
    bytes[member.nameRange] + [UInt8(ascii: ":")] + bytes[member.valueRange]
  }

  private func member(_ name: String) -> Member? { members.first { $0.name == name } }

  private static func parse(_ buffer: UnsafeBufferPointer<UInt8>) -> Result<(Range<Int>, [Member]), JSONError> {
    do throws(JSONError) {
      guard String(validating: buffer, as: UTF8.self) != nil else { throw .invalidUTF8 }
      var scanner = JSONScanner(buffer)
      scanner.skipWhitespace()
      guard scanner.next == UInt8(ascii: "{") else { throw .notAnObject }
      let start = scanner.position
      var members: [Member] = []
      try scanner.skipObject(depth: 1) { (nameRange, scanner) throws(JSONError) in
        let name = JSONString.decode(buffer[nameRange])
        guard !members.contains(where: { $0.name == name }) else { throw .duplicateMember(name) }
        guard members.count < memberCountMax else { throw .unexpected(offset: nameRange.lowerBound) }
        let valueStart = scanner.position
        try scanner.skipValue(depth: 1)
        members.append(Member(name: name, nameRange: nameRange, valueRange: valueStart..<scanner.position))
      }
      let end = scanner.position
      scanner.skipWhitespace()
      guard scanner.isAtEnd else { throw .unexpected(offset: scanner.position) }
      return .success((start..<end, members))
    } catch {
      return .failure(error)
    }
  }

  /// Members of one object; more is no device's message, and finding duplicates takes their square.
  package static let memberCountMax = 512
}

extension JSONObject.Member {
  fileprivate func moved(by offset: Int) -> Self {
    func moved(_ range: Range<Int>) -> Range<Int> { range.lowerBound + offset..<range.upperBound + offset }
    return Self(name: name, nameRange: moved(nameRange), valueRange: moved(valueRange))
  }
}
