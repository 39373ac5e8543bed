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

  /// A number with at most `digits` decimals.
  mutating func add(_ name: String, _ value: Double, digits: Int) {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let rounded = (value * scale).rounded() / scale
    add(name, literally: Int(exactly: rounded).map(String.init) ?? String(rounded))
  }

  mutating func add(_ name: String, _ value: JSONWriter) {
    begin(name)
    text += value.bytes
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
