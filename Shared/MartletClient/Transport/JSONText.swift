internal import Models

extension [UInt8] {
  /// A JSON object of texts.
  init(json members: KeyValuePairs<String, String>) {
    self = [UInt8(ascii: "{")]
    for (name, value) in members { appendMember(name, value) }
    append(UInt8(ascii: "}"))
  }

  /// Appends a member to an object that was begun.
  mutating func appendMember(_ name: String, _ value: String) {
    if last != UInt8(ascii: "{") { append(UInt8(ascii: ",")) }
    append(json: name)
    append(UInt8(ascii: ":"))
    append(json: value)
  }
}
