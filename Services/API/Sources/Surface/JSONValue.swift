import Models

/// JSON to be written. Members keep their order, and a `raw` value goes out byte for byte as it is: what a device sent keeps every digit.
indirect enum JSONValue: Sendable {
  case null
  case boolean(Bool)
  case integer(Int64)
  /// What is no finite number goes out as `null`.
  case number(Double)
  case text(String)
  /// Checked JSON text.
  case raw([UInt8])
  case list([JSONValue])
  case object([(String, JSONValue)])

  static func time(_ timestamp: Timestamp) -> JSONValue { .text(timestamp.iso8601) }
  static func optional<Value>(_ value: Value?, _ make: (Value) -> JSONValue) -> JSONValue { value.map(make) ?? .null }

  var encoded: [UInt8] {
    var text: [UInt8] = []
    append(to: &text)
    return text
  }

  func append(to text: inout [UInt8]) {
    switch self {
    case .null: text.append("null")
    case .boolean(let value): text.append(value ? "true" : "false")
    case .integer(let value): text += String(value).utf8
    case .number(let value): if value.isFinite { text += String(value).utf8 } else { text.append("null") }
    case .text(let value): text.append(json: value)
    case .raw(let value): text += value
    case .list(let values):
      text.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        value.append(to: &text)
      }
      text.append(UInt8(ascii: "]"))
    case .object(let members):
      text.append(UInt8(ascii: "{"))
      for (index, (name, value)) in members.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        text.append(json: name)
        text.append(UInt8(ascii: ":"))
        value.append(to: &text)
      }
      text.append(UInt8(ascii: "}"))
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  init(stringLiteral value: String) { self = .text(value) }
  init(integerLiteral value: Int64) { self = .integer(value) }
  init(booleanLiteral value: Bool) { self = .boolean(value) }
  init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
  init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(elements) }
}
