import Foundation

/// A JSON value, for comparing what was sent with what arrived: members in any order, numbers exactly.
enum JSON: Hashable, Sendable, Decodable {
  case null
  case bool(Bool)
  case number(Decimal)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  init(_ text: String) throws { self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8)) }

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = try? value.decode(Bool.self) {
      self = .bool(bool)
    } else if let number = try? value.decode(Decimal.self) {
      self = .number(number)
    } else if let string = try? value.decode(String.self) {
      self = .string(string)
    } else if let array = try? value.decode([JSON].self) {
      self = .array(array)
    } else {
      self = .object(try value.decode([String: JSON].self))
    }
  }

  subscript(_ name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members[name]
  }

  /// Those of an array; none of anything else.
  var elements: [JSON] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  func element(_ index: Int) -> JSON? { elements.indices.contains(index) ? elements[index] : nil }

  var string: String? {
    guard case .string(let string) = self else { return nil }
    return string
  }

  var int: Int? {
    guard case .number(let number) = self else { return nil }
    return (number as NSDecimalNumber).intValue
  }

  /// The object without a member.
  func without(_ name: String) -> JSON {
    guard case .object(var members) = self else { return self }
    members[name] = nil
    return .object(members)
  }
}
