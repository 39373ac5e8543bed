import HTTPTypes
import Models

/// Comma-separated values as RFC 4180 has them: CRLF ends a line, and what holds a comma, a quote or a line break stands in quotes.
enum CSV {
  static func line(_ fields: [String]) -> [UInt8] {
    var text: [UInt8] = []
    for (index, field) in fields.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      append(field.utf8, to: &text)
    }
    text += [0x0D, 0x0A]
    return text
  }

  private static func append(_ field: String.UTF8View, to text: inout [UInt8]) {
    guard field.contains(where: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == 0x0D || $0 == 0x0A }) else {
      text += field
      return
    }
    text.append(UInt8(ascii: "\""))
    for byte in field {
      if byte == UInt8(ascii: "\"") { text.append(byte) }
      text.append(byte)
    }
    text.append(UInt8(ascii: "\""))
  }

  /// Whether the request wants CSV rather than JSON. Throws `not_acceptable` when it wants neither.
  static func isWanted(by call: Call) throws(Problem) -> Bool {
    if let format = call.query["format"] { return format == "csv" }
    let accepted = call.headers[values: .accept].joined(separator: ",").split(separator: ",").map { Accepted($0) }
    func weight(_ type: String) -> Double {
      let candidates = [type, (type.split(separator: "/").first.map(String.init) ?? "") + "/*", "*/*"]
      for candidate in candidates {
        if let match = accepted.first(where: { $0.type == candidate }) { return match.weight }
      }
      return accepted.isEmpty ? 1 : 0
    }
    let (csv, json) = (weight("text/csv"), weight("application/json"))
    guard csv > 0 || json > 0 else {
      throw Problem(.notAcceptable, "This is to be had as application/json or text/csv.")
    }
    return csv > json
  }

  /// One entry of the header `Accept`.
  private struct Accepted {
    let type: String
    let weight: Double

    init(_ text: Substring) {
      let parts = text.split(separator: ";").map { $0.split(separator: " ").joined().lowercased() }
      type = parts.first ?? ""
      weight = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
    }
  }
}
