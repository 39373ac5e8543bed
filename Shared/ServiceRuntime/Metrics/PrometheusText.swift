/// A metric's labels, in the order and spelling in which they are exposed.
struct MetricLabels: Hashable, Comparable, Sendable {
  /// `key="value"` pairs with commas between them, or nothing.
  let text: String

  static let valueBytesMax = 200

  /// Characters that Prometheus does not take in a label's name become `_`; values are escaped, and cut at 200 bytes.
  init(_ labels: [(String, String)]) {
    text = labels.sorted { $0.0 < $1.0 }
      .map { "\(PrometheusText.name($0.0, colons: false))=\"\(Self.escaped($0.1))\"" }
      .joined(separator: ",")
  }

  static func < (left: MetricLabels, right: MetricLabels) -> Bool { left.text < right.text }

  private static func escaped(_ value: String) -> String {
    var escaped = ""
    var taken = 0
    for scalar in value.unicodeScalars {
      taken += UTF8.width(scalar)
      guard taken <= valueBytesMax else { break }
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

/// Prometheus' text exposition format, version 0.0.4.
struct PrometheusText {
  private(set) var text = ""

  mutating func family(_ name: String, _ kind: MetricKind, help: String?) {
    if let help {
      text += "# HELP \(name) \(help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n"))\n"
    }
    text += "# TYPE \(name) \(kind.rawValue)\n"
  }

  /// - Parameter bound: A histogram bucket's `le`.
  mutating func sample(_ name: String, _ labels: MetricLabels, bound: String? = nil, _ value: String) {
    var all = labels.text
    if let bound { all += (all.isEmpty ? "" : ",") + "le=\"\(bound)\"" }
    text += all.isEmpty ? "\(name) \(value)\n" : "\(name){\(all)} \(value)\n"
  }

  /// A number as Prometheus reads it; whole ones without a fraction.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return Int64(exactly: value).map(String.init) ?? String(value)
  }

  /// `label` with what Prometheus does not take in a name replaced by `_`.
  static func name(_ label: String, colons: Bool = true) -> String {
    var name = ""
    for scalar in label.unicodeScalars {
      switch scalar {
      case "a"..."z", "A"..."Z", "_": name.unicodeScalars.append(scalar)
      case "0"..."9": name += (name.isEmpty ? "_" : "") + String(scalar)
      case ":" where colons: name += ":"
      default: name += "_"
      }
    }
    return name.isEmpty ? "_" : name
  }
}
