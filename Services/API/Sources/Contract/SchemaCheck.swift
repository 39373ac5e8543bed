import Models

/// One thing that is wrong with a request, and where.
struct Violation: Hashable, Sendable {
  /// A JSON pointer into the body (RFC 6901), or the name of a parameter.
  let place: String
  /// A clause that says what is wanted.
  let detail: String
}

extension Schema {
  /// More are not told.
  private static let violationsMax = 20

  /// What is wrong with a body; empty when it is as it must be.
  func violations(of body: JSONObject) -> [Violation] {
    var found: [Violation] = []
    check(body, at: "", &found)
    return Array(found.prefix(Self.violationsMax))
  }

  private func check(_ object: JSONObject, at place: String, _ found: inout [Violation]) {
    let (members, isOpen): ([Member], Bool)
    switch self {
    case .named(_, let schema): return schema.check(object, at: place, &found)
    case .object(let own): (members, isOpen) = (own, false)
    case .openObject(let own): (members, isOpen) = (own, true)
    default: (members, isOpen) = ([], true)
    }
    for member in members {
      if let value = object.raw(member.name) {
        member.schema.check(value, at: "\(place)/\(member.name)", &found)
      } else if member.isRequired {
        found.append(Violation(place: "\(place)/\(member.name)", detail: "is missing: \(member.schema.words) is wanted"))
      }
    }
    guard !isOpen else { return }
    for member in object.members where !members.contains(where: { $0.name == member.name }) {
      let known = members.map(\.name).joined(separator: ", ")
      let detail = known.isEmpty ? "is not known: no member is" : "is not known; known are \(known)"
      found.append(Violation(place: "\(place)/\(Self.pointerToken(member.name))", detail: detail))
    }
  }

  private func check(_ value: ArraySlice<UInt8>, at place: String, _ found: inout [Violation]) {
    switch self {
    case .named(_, let schema): return schema.check(value, at: place, &found)
    case .nullable(let schema):
      if !value.elementsEqual("null".utf8) { schema.check(value, at: place, &found) }
      return
    case .list(let element):
      if let elements = Self.elements(of: value) {
        for (index, part) in elements.enumerated() { element.check(part, at: "\(place)/\(index)", &found) }
        return
      }
    case .object, .openObject:
      if value.first == UInt8(ascii: "{"), let object = try? JSONObject(parsing: Array(value)) {
        return check(object, at: place, &found)
      }
    default:
      if accepts(value) { return }
    }
    found.append(Violation(place: place, detail: "must be \(words)"))
  }

  /// Nil for what is no array.
  private static func elements(of value: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
    guard value.first == UInt8(ascii: "[") else { return nil }
    return (try? JSONObject(parsing: Array("{\"list\":".utf8) + value + [UInt8(ascii: "}")]))?.elements("list")
  }

  /// Whether a JSON value that holds no members of ours is as it must be.
  private func accepts(_ value: ArraySlice<UInt8>) -> Bool {
    let isText = value.first == UInt8(ascii: "\"")
    return switch self {
    case .text, .opaque, .applianceID, .eventType, .moment, .word: isText && accepts(JSONString.decode(value))
    // A body's integers are written without fraction and exponent.
    case .integer: !isText && accepts(String(decoding: value, as: UTF8.self))
    case .number: JSONNumber.double(value) != nil
    case .boolean: value.elementsEqual("true".utf8) || value.elementsEqual("false".utf8)
    case .anyObject: value.first == UInt8(ascii: "{")
    case .list, .object, .openObject, .nullable, .named: false
    }
  }

  /// Whether a parameter's text stands for such a value.
  func accepts(_ text: String) -> Bool {
    switch self {
    case .text(let lengths): lengths.contains(text.unicodeScalars.count) && !text.unicodeScalars.contains(where: Self.isControl)
    // PostgreSQL's text cannot hold U+0000, and no secret of ours has it.
    case .opaque(let lengths): lengths.contains(text.unicodeScalars.count) && !text.utf8.contains(0)
    case .applianceID: (try? ApplianceID(text)) != nil
    case .eventType: (try? EventType(text)) != nil
    case .moment: Timestamp(iso8601: text) != nil
    case .word(let words): words.contains(text)
    case .integer(let range): Int(text).map { range.contains($0) && !text.hasPrefix("+") } ?? false
    case .boolean: text == "true" || text == "false"
    case .named(_, let schema): schema.accepts(text)
    case .number, .anyObject, .object, .openObject, .list, .nullable: false
    }
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .control }

  /// RFC 6901, section 3; cut, because it is told back.
  private static func pointerToken(_ name: String) -> String {
    String(name.prefix(80)).replacing("~", with: "~0").replacing("/", with: "~1")
  }
}
