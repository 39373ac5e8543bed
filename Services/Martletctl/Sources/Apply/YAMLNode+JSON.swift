import Models
import RuleEvaluation
import Yams

extension Node {
  /// The node as JSON text. A plain scalar that JSON would read as a number, `true`, `false` or `null` is that; every other scalar is a string, so `06:00` and `on` stay what they
  /// look like. Where it grows beyond what a rule may have, as aliases of aliases do, the rest is left out.
  var json: [UInt8] {
    var text: [UInt8] = []
    append(to: &text)
    return text
  }

  private func append(to text: inout [UInt8]) {
    guard text.count <= Rule.definitionBytesMax else { return }
    switch self {
    case .scalar(let scalar):
      if scalar.style == .plain, Self.isLiteral(scalar.string) { text += scalar.string.utf8 } else { text.append(json: scalar.string) }
    case .sequence(let sequence):
      text.append(UInt8(ascii: "["))
      for (index, element) in sequence.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        element.append(to: &text)
      }
      text.append(UInt8(ascii: "]"))
    case .mapping(let mapping):
      text.append(UInt8(ascii: "{"))
      for (index, (key, value)) in mapping.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        text.append(json: key.string ?? "")
        text.append(UInt8(ascii: ":"))
        value.append(to: &text)
      }
      text.append(UInt8(ascii: "}"))
    case .alias: text.append("null")
    }
  }

  private static func isLiteral(_ text: String) -> Bool {
    // A double's text may be written in ways that JSON has not, and JSON's object hold more than a number.
    ["true", "false", "null"].contains(text)
      || JSONNumber.double(text.utf8) != nil && (try? JSONObject(parsing: Array("{\"n\":\(text)}".utf8))) != nil
  }
}
