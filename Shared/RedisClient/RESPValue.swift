/// One reply of the server (RESP2).
package enum RESPValue: Hashable, Sendable {
  case string([UInt8])
  case status(String)
  case integer(Int64)
  case null
  case array([RESPValue])
  /// Occurs inside arrays only: an error as the whole reply is thrown.
  case error(RedisError)

  package var bytes: [UInt8]? {
    if case .string(let bytes) = self { return bytes }
    return nil
  }

  /// A string or status as text; invalid UTF-8 is replaced.
  package var text: String? {
    switch self {
    case .string(let bytes): String(decoding: bytes, as: UTF8.self)
    case .status(let text): text
    default: nil
    }
  }

  package var integer: Int64? {
    if case .integer(let value) = self { return value }
    return nil
  }

  package var array: [RESPValue]? {
    if case .array(let elements) = self { return elements }
    return nil
  }

  package var isNull: Bool { self == .null }
}
