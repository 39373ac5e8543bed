import Models

/// One object of a rule's JSON while it is read: members by name, and errors by path.
struct RuleReader {
  let object: JSONObject
  /// The object's own path; empty for the whole rule.
  let base: String

  /// - Throws: when a member is not among `known`: a misspelt condition must not be a condition left out.
  init(_ object: JSONObject, base: String = "", known: Set<String>) throws(RuleError) {
    self.object = object
    self.base = base
    for member in object.members where !known.contains(member.name) {
      throw RuleError(path(member.name), "is not known; known are \(known.sorted().joined(separator: ", "))")
    }
  }

  func path(_ name: String) -> String { base.isEmpty ? name : "\(base).\(name)" }

  func has(_ name: String) -> Bool { object.contains(name) }

  func text(_ name: String, _ bytes: ClosedRange<Int>) throws(RuleError) -> String? {
    guard has(name) else { return nil }
    guard let text = object.string(name), Self.isPlain(text, bytes) else {
      throw RuleError(path(name), "must be a text of \(bytes.lowerBound) to \(bytes.upperBound) bytes without control characters")
    }
    return text
  }

  func word<Word: RawRepresentable<String> & CaseIterable>(_ name: String, default word: Word) throws(RuleError) -> Word {
    guard has(name) else { return word }
    guard let known = object.string(name).flatMap(Word.init(rawValue:)) else {
      throw RuleError(path(name), "must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return known
  }

  func bool(_ name: String, default value: Bool) throws(RuleError) -> Bool {
    switch object.raw(name).map({ String(decoding: $0, as: UTF8.self) }) {
    case nil: return value
    case "true": return true
    case "false": return false
    default: throw RuleError(path(name), "must be true or false")
    }
  }

  /// A finite number.
  func number(_ name: String) throws(RuleError) -> Double? {
    guard has(name) else { return nil }
    guard let value = object.number(name) else { throw RuleError(path(name), "must be a number that a double can hold") }
    return value
  }

  func required(_ name: String) throws(RuleError) -> Double {
    guard let value = try number(name) else { throw RuleError(path(name), "is missing: a number is wanted") }
    return value
  }

  func seconds(_ name: String, in range: ClosedRange<Double>) throws(RuleError) -> Duration? {
    guard let value = try number(name) else { return nil }
    guard range.contains(value) else {
      throw RuleError(path(name), "must be \(Self.plain(range.lowerBound)) to \(Self.plain(range.upperBound)) seconds")
    }
    return .microseconds(Int64((value * 1_000_000).rounded()))
  }

  func inner(_ name: String, known: Set<String>) throws(RuleError) -> RuleReader? {
    guard has(name) else { return nil }
    guard let inner = object.object(name) else { throw RuleError(path(name), "must be an object whose members stand once") }
    return try RuleReader(inner, base: path(name), known: known)
  }

  func pattern(_ name: String) throws(RuleError) -> Pattern? {
    try text(name, 1...Pattern.lengthMax).flatMap(Pattern.init)
  }

  /// The texts of an array.
  func texts(_ name: String, countMax: Int) throws(RuleError) -> [String] {
    let elements = try elements(name, countMax: countMax)
    var texts: [String] = []
    for (index, element) in elements.enumerated() {
      let text = element.first == UInt8(ascii: "\"") ? JSONString.decode(element) : ""
      guard Self.isPlain(text, 1...Pattern.lengthMax) else {
        throw RuleError("\(path(name))[\(index)]", "must be a text of 1 to \(Pattern.lengthMax) bytes without control characters")
      }
      texts.append(text)
    }
    return texts
  }

  /// The elements of an array, as their texts; none where there is no such member.
  func elements(_ name: String, countMax: Int) throws(RuleError) -> [ArraySlice<UInt8>] {
    guard has(name) else { return [] }
    guard let elements = object.elements(name) else { throw RuleError(path(name), "must be a list") }
    guard elements.count <= countMax else { throw RuleError(path(name), "has more than \(countMax) elements") }
    return elements
  }

  private static func isPlain(_ text: String, _ bytes: ClosedRange<Int>) -> Bool {
    bytes.contains(text.utf8.count) && !text.utf8.contains { $0 < 0x20 || $0 == 0x7F }
  }

  private static func plain(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? String(value) }
}
