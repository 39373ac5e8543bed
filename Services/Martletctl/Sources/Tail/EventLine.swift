import Models

/// A live event as one line.
enum EventLine {
  enum Style: Sendable { case json, readable }

  /// A message longer than this is cut in the readable style.
  static let characterCountMax = 2000

  /// The line with its line break.
  static func line(_ message: [UInt8], _ style: Style) -> [UInt8] {
    switch style {
    case .json:
      // JSON allows line breaks only between its parts, where a space says the same.
      return message.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 } + [0x0A]
    case .readable: return Array((visible(readable(message)) + "\n").utf8)
    }
  }

  /// `2026-02-14T12:35:00Z EPIC-001 cooking:progress current_stage=3 stage_name="Saute Onions" cv_status.class="golden_brown"`
  private static func readable(_ message: [UInt8]) -> String {
    guard let event = try? Event(parsing: message), let data = try? JSONObject(parsing: event.data) else {
      return "? " + String(decoding: message, as: UTF8.self)
    }
    return (["\(event.timestamp)", "\(event.applianceID)", "\(event.type)"] + pairs(data, path: "")).joined(separator: " ")
  }

  private static func pairs(_ object: JSONObject, path: String) -> [String] {
    object.members.flatMap { member -> [String] in
      let value = object.raw(member)
      if value.first == UInt8(ascii: "{"), let nested = try? JSONObject(parsing: Array(value)) {
        return pairs(nested, path: path + member.name + ".")
      }
      return ["\(path)\(member.name)=\(String(decoding: value, as: UTF8.self))"]
    }
  }

  /// Cut, and without what a terminal would obey.
  static func visible(_ text: String) -> String {
    var visible = ""
    for scalar in text.unicodeScalars.prefix(characterCountMax) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator: visible += "\\u{\(String(scalar.value, radix: 16))}"
      default: visible.unicodeScalars.append(scalar)
      }
    }
    return text.unicodeScalars.count > characterCountMax ? visible + "…" : visible
  }
}
