/// The parts of `redis://[[user]:password@]host[:port][/database]`.
struct RedisURL {
  var isTLS = false
  var host = ""
  var port = 6379
  var user: String?
  var password: String?
  var database = 0

  init(_ text: String) throws(RedisError) {
    guard let schemeEnd = text.firstRange(of: "://") else { throw Self.malformed("it does not begin with redis:// or rediss://") }
    switch text[..<schemeEnd.lowerBound] {
    case "redis": isTLS = false
    case "rediss": isTLS = true
    default: throw Self.malformed("it does not begin with redis:// or rediss://")
    }
    var rest = text[schemeEnd.upperBound...]
    if let slash = rest.firstIndex(of: "/") {
      let path = rest[rest.index(after: slash)...]
      if !path.isEmpty { database = try Self.number(path, in: 0...65_535, "the database") }
      rest = rest[..<slash]
    }
    if let at = rest.lastIndex(of: "@") {
      try readCredentials(rest[..<at])
      rest = rest[rest.index(after: at)...]
    }
    try readAddress(rest)
  }

  private mutating func readCredentials(_ text: Substring) throws(RedisError) {
    let colon = text.firstIndex(of: ":") ?? text.endIndex
    let name = try Self.decoded(text[..<colon])
    user = name.isEmpty ? nil : name
    if colon < text.endIndex {
      let secret = try Self.decoded(text[text.index(after: colon)...])
      password = secret.isEmpty ? nil : secret
    }
  }

  private mutating func readAddress(_ text: Substring) throws(RedisError) {
    var hostText = text
    var portText: Substring?
    if text.first == "[", let end = text.firstIndex(of: "]") {
      hostText = text[text.index(after: text.startIndex)..<end]
      let behind = text[text.index(after: end)...]
      guard behind.isEmpty || behind.first == ":" else { throw Self.malformed("there is something between the host and the port") }
      portText = behind.isEmpty ? nil : behind.dropFirst()
    } else if let colon = text.lastIndex(of: ":") {
      hostText = text[..<colon]
      portText = text[text.index(after: colon)...]
      guard !hostText.contains(":") else { throw Self.malformed("an IPv6 address has to stand in brackets") }
    }
    guard !hostText.isEmpty else { throw Self.malformed("it names no host") }
    host = String(hostText)
    if let portText { port = try Self.number(portText, in: 1...65_535, "the port") }
  }

  private static func number(_ text: Substring, in range: ClosedRange<Int>, _ what: String) throws(RedisError) -> Int {
    guard let value = Int(text), range.contains(value) else {
      throw malformed("\(what) has to be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// Percent-decoding (RFC 3986, section 2.1).
  private static func decoded(_ text: Substring) throws(RedisError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = rest.prefix(2)
      guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) else {
        throw malformed("a % in the user or the password has to be followed by two hexadecimal digits")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Says what is wrong without repeating the URL, which may hold a password.
  private static func malformed(_ reason: String) -> RedisError {
    RedisError(.configuration, "the Redis URL cannot be used: \(reason); write redis://user:password@host:port/0")
  }
}
