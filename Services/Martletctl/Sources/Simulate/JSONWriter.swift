import Models

/// A JSON object with its members in the order in which they are added.
struct JSONWriter: Sendable {
  private var text: [UInt8] = [UInt8(ascii: "{")]

  /// The finished object.
  var bytes: [UInt8] { text + [UInt8(ascii: "}")] }

  init() {}

  mutating func add(_ name: String, _ value: String) {
    begin(name)
    JSONString.append(value, to: &text)
  }

  mutating func add(_ name: String, _ value: Int) { add(name, literally: String(value)) }
  mutating func add(_ name: String, _ value: Bool) { add(name, literally: value ? "true" : "false") }

  /// A number with at most `digits` decimals; nil is null.
  mutating func add(_ name: String, _ value: Double?, digits: Int) {
    guard let value else { return add(name, literally: "null") }
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let rounded = (value * scale).rounded() / scale
    add(name, literally: Int(exactly: rounded).map(String.init) ?? String(rounded))
  }

  mutating func add(_ name: String, _ value: JSONWriter) { add(name, value.bytes) }

  /// - Parameter json: a value's text.
  mutating func add(_ name: String, _ json: [UInt8]) {
    begin(name)
    text += json
  }

  mutating func add(_ name: String, _ values: [JSONWriter]) {
    add(name, [UInt8(ascii: "[")] + values.map(\.bytes).joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")])
  }

  mutating func add(_ name: String, _ values: [String]) {
    var elements: [[UInt8]] = []
    for value in values {
      var element: [UInt8] = []
      element.append(json: value)
      elements.append(element)
    }
    add(name, [UInt8(ascii: "[")] + elements.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")])
  }

  private mutating func add(_ name: String, literally value: String) {
    begin(name)
    text += Array(value.utf8)
  }

  private mutating func begin(_ name: String) {
    if text.count > 1 { text.append(UInt8(ascii: ",")) }
    JSONString.append(name, to: &text)
    text.append(UInt8(ascii: ":"))
  }
}
